import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readText, root } from './files.ts'

const dockerfile = readText('Dockerfile')
const start = readText('bin/login-stats')
/** What stands in the image that runs, after the stage that builds. */
const [, running = ''] = dockerfile.split(/^FROM (?!.* AS build$)/m)

describe('the image', () => {
  test('starts Node with what bin/login-stats gives it', () => {
    const [, memory] = /^memory=(\S+)$/m.exec(start) ?? []
    const [, arenas] = /MALLOC_ARENA_MAX-(\d+)/.exec(start) ?? []
    expect(running).toContain(`NODE_OPTIONS=${memory}\n`)
    expect(running).toContain(`MALLOC_ARENA_MAX=${arenas}`)
  })

  test('has the command without a shell', () => {
    const command = readText('deploy/image/login-stats')
    expect(command.startsWith('#!/nodejs/bin/node\n')).toBe(true)
    expect(statSync(join(root, 'deploy/image/login-stats')).mode & 0o111).toBe(0o111)
    const [, main = ''] = /import\('\/app\/dist\/(.+)\.js'\)/.exec(command) ?? []
    expect(existsSync(join(root, 'src', `${main}.ts`)), main).toBe(true)
    // A command as text, without brackets, would be given to a shell.
    for (const [, rest = ''] of running.matchAll(/^(?:ENTRYPOINT|CMD|HEALTHCHECK .*CMD) (.*)$/gm))
      expect(rest).toMatch(/^\[/)
    expect(running).not.toMatch(/^RUN /m)
  })

  test('runs as somebody who is not root, by number, to whom the state volume belongs', () => {
    const [, user] = /^USER (\d+):\d+$/m.exec(running) ?? []
    expect(Number(user)).toBeGreaterThan(0)
    expect(running).toContain(`--chown=${user}:${user} /state /state`)
    expect(running).toMatch(/^VOLUME \/state$/m)
    expect(running).toContain('STATE_DIR=/state')
  })

  test('both stages have the same Debian, whose glibc the native parts are built for, and the Node of the tests', () => {
    const { devDependencies }: { devDependencies: Record<string, string> } = JSON.parse(
      readText('package.json'),
    )
    const [major] = devDependencies.node?.split('.') ?? []
    // bookworm is Debian 12.
    expect(dockerfile).toContain(`\nFROM node:${devDependencies.node}-bookworm-slim AS build\n`)
    expect(dockerfile).toContain(`\nFROM gcr.io/distroless/nodejs${major}-debian12:nonroot\n`)
  })

  test('copies what exists, and what .dockerignore lets through', () => {
    const ignored = readText('.dockerignore').trim().split('\n')
    for (const [, sources = ''] of dockerfile.matchAll(/^COPY (?!--from)(?:--\S+ )*(.+) \S+$/gm))
      for (const source of sources.split(' ')) {
        expect(existsSync(join(root, source)), source).toBe(true)
        expect(ignored).not.toContain(source.split('/')[0])
      }
  })

  test('has every package that the program imports', () => {
    const { dependencies }: { dependencies: Record<string, string> } = JSON.parse(readText('package.json'))
    const imported = globSync('src/**/*.ts', { cwd: root }).flatMap((file) =>
      [
        ...readFileSync(join(root, file), 'utf8').matchAll(
          /^(?:import|export) (?!type\b)[^'";]*from '([^'.][^']*)'/gm,
        ),
      ].map(([, name = '']) =>
        name
          .split('/')
          .slice(0, name.startsWith('@') ? 2 : 1)
          .join('/'),
      ),
    )
    const missing = new Set(imported.filter((name) => !isBuiltin(name) && !(name in dependencies)))
    expect([...missing]).toEqual([])
  })
})

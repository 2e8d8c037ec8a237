/**
 * What the image runs, without Docker: the emitted program with its production dependencies alone, started as the Dockerfile says, as a
 * user who may write to the state directory and to nothing else.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { freePorts } from '../../src/local-kafka/free-ports.ts'
import { Application } from '../support/application.ts'
import { countOf, expectExact } from '../support/oracle.ts'

const root = join(import.meta.dirname, '../..')
/** Of the image. Only root can start a process as somebody else. */
const imageUser = 65532
const asImageUser = process.getuid?.() === 0 ? { uid: imageUser, gid: imageUser } : {}

let image = ''
let application: Application | null = null
const running = new Set<ChildProcess>()

beforeAll(() => {
  image = mkdtempSync(join(tmpdir(), 'login-stats-image-'))
  chmodSync(image, 0o755)
  const app = join(image, 'app')
  mkdirSync(app)
  execFileSync(join(root, 'node_modules/.bin/tsc'), [
    ...['-p', join(root, 'tsconfig.build.json')],
    ...['--outDir', join(app, 'dist')],
  ])
  cpSync(join(root, 'src/login-stats/page'), join(app, 'dist/login-stats/page'), { recursive: true })
  copyFileSync(join(root, 'package.json'), join(app, 'package.json'))
  for (const path of productionPackages())
    cpSync(join(root, path), join(app, path), {
      recursive: true,
      // What is nested in a package may be for development alone; it has an entry of its own.
      filter: (source) =>
        source === join(root, path) || !source.slice(join(root, path).length).includes('node_modules'),
    })
  const launcher = readFileSync(join(root, 'deploy/image/login-stats'), 'utf8')
  writeFileSync(join(image, 'login-stats'), launcher.replace('/app/', `${app}/`))
  // The checkout may be where others cannot look.
  copyFileSync(process.execPath, join(image, 'node'))
  execFileSync('chmod', ['-R', 'a-w,a+rX', image])
})

afterEach(async () => {
  for (const child of running) child.kill('SIGKILL')
  await application?.close()
  application = null
})

afterAll(() => {
  execFileSync('chmod', ['-R', 'u+w', image])
  rmSync(image, { recursive: true, force: true })
})

/** Paths of what `npm prune --omit=dev` leaves. */
function productionPackages(): string[] {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean }>
  }
  return Object.entries(lock.packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true && existsSync(join(root, path)))
    .map(([path]) => path)
}

/** ENV of the Dockerfile's last stage. */
function imageEnvironment(): Record<string, string> {
  const [, block = ''] = /^ENV ((?:.*\\\n)*.*)$/m.exec(readFileSync(join(root, 'Dockerfile'), 'utf8')) ?? []
  return Object.fromEntries(
    [...block.matchAll(/(\w+)=(?:"([^"]*)"|(\S+))/g)].map(([, name = '', quoted, bare]) => [
      name,
      quoted ?? bare ?? '',
    ]),
  )
}

function start(args: readonly string[], settings: Readonly<Record<string, string>>): ChildProcess {
  const child = spawn(join(image, 'node'), [join(image, 'login-stats'), ...args], {
    cwd: join(image, 'app'),
    env: { ...imageEnvironment(), HTTP_PORT: '0', ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...asImageUser,
  })
  running.add(child)
  child.once('close', () => running.delete(child))
  return child
}

/** Resolves when the process has ended. */
async function ended(child: ChildProcess): Promise<{ exitCode: number | null; out: string; err: string }> {
  if (child.stdout === null || child.stderr === null) throw new Error('no output')
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve))
  const [exitCode, out, err] = await Promise.all([closed, text(child.stdout), text(child.stderr)])
  return { exitCode, out, err }
}

test('the environment of the image is that of a container', () => {
  expect(imageEnvironment()).toMatchObject({
    NODE_ENV: 'production',
    STATE_DIR: '/state',
    HTTP_HOST: '0.0.0.0',
  })
})

test('the emitted program runs without what is for development', async () => {
  const { exitCode, out, err } = await ended(start(['config', '--json'], { COMMIT_INTERVAL_MS: '50' }))
  expect(err).toBe('')
  expect(exitCode).toBe(0)
  expect(JSON.parse(out)).toContainEqual(
    expect.objectContaining({ variable: 'COMMIT_INTERVAL_MS', value: '50', from: 'environment' }),
  )
})

test('it counts and answers, in several threads, with nothing to write to but the state directory', async () => {
  application = new Application('image')
  if (asImageUser.uid !== undefined) chownSync(application.stateDir, asImageUser.uid, asImageUser.gid)
  await application.createInput(2)
  const logins = await application.produceLogins(3000)

  const [port] = await freePorts(1)
  const http = { HTTP_PORT: String(port) }
  const child = start(['run'], { ...application.environment, ...http, STREAM_THREADS: '2' })
  const end = ended(child)
  await Promise.race([
    expectExact(application, countOf(logins)),
    end.then(({ out, err }) => Promise.reject(new Error(`ended early\n${out}\n${err}`))),
  ])
  // As the image's health check asks it, and as people do.
  expect(await ended(start(['health'], http))).toMatchObject({ exitCode: 0, err: '' })
  // What answers is loaded after the tasks run.
  const isReady = async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).status
  await expect.poll(isReady).toBe(200)
  for (const path of ['/livez', '/readyz', '/', '/page.js', '/metrics', '/api/table', '/api/summary']) {
    const { status } = await fetch(`http://127.0.0.1:${port}${path}`)
    expect(status, path).toBe(200)
  }
  child.kill('SIGTERM')
  const { exitCode, err } = await end
  expect(err).toBe('')
  expect(exitCode).toBe(0)

  expect(await ended(start(['health'], http))).toMatchObject({ exitCode: 1 })

  expect(readdirSync(application.stateDir)).toEqual([application.config.appId])
  expect(readdirSync(image).toSorted()).toEqual(['app', 'login-stats', 'node'])
  expect(readdirSync(join(image, 'app')).toSorted()).toEqual(['dist', 'node_modules', 'package.json'])
})

import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '../../..')
const files = globSync('src/**/*.ts', { cwd: root }).filter((file) => !file.endsWith('.d.ts'))

interface Import {
  readonly file: string
  readonly target: string
  /** Of types alone: nothing is loaded. */
  readonly isType: boolean
}

/** Every import in the sources: packages by name, files by their path from the root. */
const imports: Import[] = files.flatMap((file) => {
  const text = readFileSync(join(root, file), 'utf8')
  const found = text.matchAll(/(?:(import type [^']*))?(?:from|import|require)\s*\(?\s*'([^']+)'/g)
  return [...found].map(([, typesOnly, target = '']) => ({
    file,
    isType: typesOnly !== undefined,
    target: target.startsWith('.') ? relative(root, normalize(join(root, dirname(file), target))) : target,
  }))
})

function importersOf(packageName: string): string[] {
  return imports
    .filter(({ target }) => target === packageName || target.startsWith(`${packageName}/`))
    .map(({ file }) => file)
}

/** What each layer may import of the others. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  bytes: [],
  ports: ['errors.ts'],
  streams: ['bytes', 'errors.ts', 'ports'],
  kafka: ['bytes', 'errors.ts', 'ports'],
  system: ['bytes', 'errors.ts', 'ports'],
  'local-kafka': ['errors.ts', 'ports', 'system'],
  verify: ['errors.ts', 'ports', 'system'],
  'login-stats': ['bytes', 'errors.ts', 'ports', 'streams', 'kafka', 'system', 'local-kafka', 'verify'],
  'errors.ts': [],
}

describe('layers', () => {
  test('there are sources to look at', () => {
    expect(files.length).toBeGreaterThan(50)
    expect(imports.length).toBeGreaterThan(200)
  })

  test('point one way', () => {
    const wrong = imports.filter(({ file, target }) => {
      if (!target.startsWith('src/')) return false
      const [, from = ''] = file.split('/')
      const [, to = ''] = target.split('/')
      return from !== to && !(allowed[from] ?? []).includes(to)
    })
    expect(wrong).toEqual([])
  })

  test('docs/ARCHITECTURE.md tells which', () => {
    const text = readFileSync(join(root, 'docs/ARCHITECTURE.md'), 'utf8')
    const rows = [...text.matchAll(/^\| ([\w ]+) \| `src\/([\w-]+)\/` \| .* \| (.*) \|$/gm)]
    const folders = new Map(rows.map(([, layer = '', folder = '']) => [layer.toLowerCase(), folder]))
    expect([...folders.values(), 'errors.ts'].toSorted()).toEqual(Object.keys(allowed).toSorted())
    for (const [, , folder = '', told = ''] of rows) {
      // The table of errors is for all, and packages are another matter.
      const expected = (allowed[folder] ?? []).filter((one) => one !== 'errors.ts')
      const found = told.split(', ').flatMap((layer) => folders.get(layer.toLowerCase()) ?? [])
      if (told !== 'everything below') expect(found.toSorted(), folder).toEqual(expected.toSorted())
    }
  })

  test('the application uses only what the engine exports', () => {
    const wrong = imports.filter(
      ({ file, target }) =>
        file.startsWith('src/login-stats/') &&
        target.startsWith('src/streams/') &&
        target !== 'src/streams/index.ts',
    )
    expect(wrong).toEqual([])
  })

  test('the table for other programs loads nothing of the engine', () => {
    const loaded = new Set(['src/login-stats/table/index.ts'])
    for (const one of loaded)
      for (const { file, target, isType } of imports) if (file === one && !isType) loaded.add(target)
    expect([...loaded].filter((file) => file.startsWith('src/streams/'))).toEqual([])
    expect(loaded.size).toBeGreaterThan(10)
  })

  test('what shows the table knows nothing of the commands that use it', () => {
    const wrong = imports.filter(
      ({ file, target }) =>
        file.startsWith('src/login-stats/table-view/') && target.startsWith('src/login-stats/commands/'),
    )
    expect(wrong).toEqual([])
  })

  test('only the Kafka port imports kafkajs, and the verifier, which must share nothing with it', () => {
    const folders = importersOf('kafkajs').map((file) => file.split('/')[1])
    expect(new Set(folders)).toEqual(new Set(['kafka', 'verify']))
  })

  test('one file imports level', () => {
    expect(new Set([...importersOf('level'), ...importersOf('classic-level')])).toEqual(
      new Set(['src/system/level-database.ts']),
    )
  })

  test('one file makes the logger', () => {
    expect(importersOf('pino')).toEqual(['src/system/logger.ts'])
  })

  test.each([
    ['reads the clock', /\bDate\.now\(|\bperformance\.now\(|\bnew Date\(\)/, 'src/system/clock.ts'],
    ['reads the environment', /\bprocess\.env\b/, 'src/system/environment.ts'],
    ['draws random numbers', /\bMath\.random\(|\brandomUUID\(|\brandomBytes\(/, 'src/system/random.ts'],
  ])('one file %s', (_what, pattern, only) => {
    const found = files.filter((file) =>
      pattern.test(withoutComments(readFileSync(join(root, file), 'utf8'))),
    )
    expect(found).toEqual([only])
  })
})

describe('files', () => {
  test('have at most 400 lines', () => {
    const long = files.filter((file) => readFileSync(join(root, file), 'utf8').split('\n').length > 401)
    expect(long).toEqual([])
  })

  test('have no name that says nothing', () => {
    expect(files.filter((file) => /util|helper|impl\b|misc|common/i.test(file))).toEqual([])
  })
})

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/\/\/.*$/gm, '')
}

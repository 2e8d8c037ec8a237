import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '../../..')
const documents = ['README.md', ...globSync('docs/*.md', { cwd: root }), 'bench/README.md']
const read = (path: string) => readFileSync(join(root, path), 'utf8')

/** The names that the headings have in links. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}

/** Folders from which the way of a login in ARCHITECTURE.md and the text around it name their files. */
const bases = ['', 'src', 'src/login-stats']
/** Made by what is run, so that a fresh clone has none. */
const made = ['bench/quick/', 'test/surroundings/output/']

describe.each(documents)('%s', (document) => {
  const text = read(document)

  test('every link leads to a file that exists, and to a heading in it', () => {
    const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link)
    for (const link of links.filter((one) => !one.startsWith('https:'))) {
      const [file = '', anchor] = link.split('#')
      const target = file === '' ? document : join(dirname(document), file)
      expect(existsSync(join(root, target)), link).toBe(true)
      if (anchor !== undefined) expect(anchorsOf(read(target)), link).toContain(anchor)
    }
  })

  test('every source that it names exists', () => {
    const paths = text.match(/\b(?:src|test|deploy|bench|bin)\/[\w./-]*\w\/?|\b[\w-]+\/[\w/-]+\.ts\b/g) ?? []
    for (const path of paths.filter((one) => !made.includes(one)))
      expect(
        bases.some((base) => existsSync(join(root, base, path))),
        path,
      ).toBe(true)
  })
})

test('the way of a login names files that exist', () => {
  const [, diagram = ''] = read('docs/ARCHITECTURE.md').split(/^## The way of a login$/m)
  const [drawn = ''] = diagram.split('\n\nLogins have no key')
  const files = drawn.match(/[\w-]+\.ts/g) ?? []
  expect(files.length).toBeGreaterThan(8)
  for (const file of files) expect(globSync(`src/**/${file}`, { cwd: root }), file).toHaveLength(1)
})

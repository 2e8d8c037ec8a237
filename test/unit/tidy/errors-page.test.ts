import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { errorTable } from '../../../src/errors.ts'

const page = readFileSync(join(import.meta.dirname, '../../../docs/ERRORS.md'), 'utf8')

test('the errors page has a heading for every code, and for no other', () => {
  const headings = [...page.matchAll(/^### (.+)$/gm)].map(([, heading]) => heading)
  expect(headings.toSorted()).toEqual(Object.keys(errorTable).toSorted())
})

test('the errors page tells for every code what the engine does, the cause and the remedy', () => {
  for (const [code, { behaviour, cause, hint }] of Object.entries(errorTable)) {
    const [, section = ''] = page.split(new RegExp(`^### ${code}$`, 'm'))
    const text = section.split(/^##/m)[0]?.replaceAll(/\s+/g, ' ')
    expect(text, code).toContain(`*${behaviour}*`)
    expect(text, code).toContain(cause)
    expect(text, code).toContain(hint)
  }
})

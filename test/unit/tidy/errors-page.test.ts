import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { errorTable } from '../../../src/errors.ts'
import { requestProblems } from '../../../src/login-stats/http/request-problems.ts'

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

test('the errors page has every code that refuses a request over HTTP, and no other', () => {
  const [, section = ''] = page.split(/^## Requests over HTTP$/m)
  const rows = [...(section.split(/^## /m)[0] ?? '').matchAll(/^\| `(\w+)` \| (\d+) \| (.+) \|$/gm)]
  expect(
    Object.fromEntries(rows.map(([, code, status, meaning]) => [code, { status: Number(status), meaning }])),
  ).toEqual(requestProblems)
})

test('the HTTP server knows no further codes', () => {
  const directory = join(import.meta.dirname, '../../../src/login-stats/http')
  const known = [...Object.keys(errorTable), ...Object.keys(requestProblems)]
  for (const name of readdirSync(directory))
    for (const [, code = ''] of readFileSync(join(directory, name), 'utf8').matchAll(
      /'([A-Z]{3,}(?:_[A-Z]+)+)'/g,
    ))
      expect(known, name).toContain(code)
})

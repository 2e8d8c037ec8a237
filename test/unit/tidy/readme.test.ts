import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { settingList } from '../../../src/login-stats/config/index.ts'

const root = join(import.meta.dirname, '../../..')
const readme = readFileSync(join(root, 'README.md'), 'utf8')

/** The table of settings as the README should have it. */
function settingsTable(): string {
  const rows = settingList.map(({ variable, alias, default: byDefault, description, secret }) => {
    const names = alias === undefined ? `\`${variable}\`` : `\`${variable}\` (or \`${alias}\`)`
    const notes = secret ? [`Also \`${variable}_FILE\`.`] : []
    const meaning = [description.replaceAll('|', '\\|'), ...notes].join(' ')
    return `| ${names} | ${byDefault === '' ? '' : `\`${byDefault}\``} | ${meaning} |`
  })
  return ['| variable | default | |', '|---|---|---|', ...rows].join('\n')
}

test('the README lists every setting with its default and meaning', () => {
  const [, between = ''] = readme.split(/<!-- \/?settings -->/)
  expect(between.trim()).toBe(settingsTable())
})

test('the README names the package by the file that npm makes of it', () => {
  const { name, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const named = readme.match(/login-stats-[\w.]+\.tgz/g) ?? []
  expect(named.length).toBeGreaterThan(0)
  for (const file of named) expect(file).toBe(`${name}-${version}.tgz`)
})

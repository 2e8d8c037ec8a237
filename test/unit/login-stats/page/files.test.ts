/** What the page's files must not have, and what its colours must. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

const directory = join(import.meta.dirname, '../../../../src/login-stats/page')
const files = globSync('*.{html,css,js,svg}', { cwd: directory })
const read = (file: string): string => readFileSync(join(directory, file), 'utf8')
const scripts = files.filter((file) => file.endsWith('.js'))

describe('the files of the page', () => {
  test('have at most 400 lines', () => {
    expect(files.length).toBeGreaterThan(10)
    expect(files.filter((file) => read(file).split('\n').length > 401)).toEqual([])
  })

  test('make no markup of text', () => {
    const found = scripts.filter((file) =>
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|\beval\(/.test(
        read(file),
      ),
    )
    expect(found).toEqual([])
  })

  test('name nothing outside of the server', () => {
    const found = files.filter((file) =>
      /https?:\/\/|\/\/[a-z]+\.|@import url|url\(/.test(
        read(file).replaceAll('http://www.w3.org/2000/svg', ''),
      ),
    )
    expect(found).toEqual([])
  })

  test('need nothing that the content security policy forbids', () => {
    const page = read('index.html')
    expect(page).not.toMatch(/\sstyle=|<style|\son[a-z]+=|<script(?![^>]*\ssrc=)/)
  })

  test('are checked for their types', () => {
    expect(scripts.filter((file) => !read(file).startsWith('// @ts-check'))).toEqual([])
  })

  test('are all used', () => {
    const texts = files.map(read).join('\n')
    const unused = files.filter(
      (file) => file !== 'index.html' && !texts.includes(`${file}"`) && !texts.includes(`./${file}'`),
    )
    expect(unused).toEqual([])
  })
})

/** The custom properties of a block of the style sheet. */
function colours(block: string): Map<string, string> {
  return new Map(
    [...block.matchAll(/--([a-z-]+): (#[0-9a-f]{6})/g)].map(([, name = '', value = '']) => [name, value]),
  )
}

/** Relative luminance, as WCAG 2 defines it. */
function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((start) => {
    const part = Number.parseInt(colour.slice(start, start + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].toSorted((a, b) => a - b)
  return (light + 0.05) / (dark + 0.05)
}

const [, light = '', dark = ''] = read('page.css').split(':root {')

describe.each([
  ['light', colours(light)],
  ['dark', colours(dark)],
])('in the %s', (_scheme, palette) => {
  test.each([
    ['text', 'surface'],
    ['text', 'ground'],
    ['text', 'raised'],
    ['text', 'accent-wash'],
    ['muted', 'surface'],
    ['muted', 'ground'],
    ['accent', 'surface'],
    ['accent', 'accent-wash'],
    ['good', 'good-wash'],
    ['warn', 'warn-wash'],
    ['bad', 'bad-wash'],
  ])('%s can be read on %s', (text, ground) => {
    expect(contrast(palette.get(text) ?? '', palette.get(ground) ?? '')).toBeGreaterThanOrEqual(4.5)
  })
})

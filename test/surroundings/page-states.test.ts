/** The page in a real browser, in states that are hard to reach with a real processor; `page.test.ts` has the real one. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Row, Tasks } from '../../src/login-stats/http/api-schemas.ts'
import {
  browserPath,
  browserReason,
  desktop,
  keepPicture,
  openPage,
  overflow,
  phone,
  startBrowser,
  type WatchedPage,
} from '../support/browser.ts'
import { rankedRows, row, tasksOf, withTotal } from '../support/page-rows.ts'
import { PageServer } from '../support/page-server.ts'

const locales = 'RU US BR IN CN ID NG MX PK JP PH VN TR EG TH GB FR IT KR ZA PL UA AR MA UZ PE'.split(' ')
const usual = withTotal([
  ...rankedRows('locale', locales, 48_211),
  ...rankedRows('device_type', ['android', 'iOS', 'web', 'tablet'], 98_300),
  ...rankedRows('app_version', ['2.3.0', '2.2.1', '2.1.0', '2.0.5', '1.9.3', '1.8.0'], 76_450),
])
const deadLetters = { count: 37, by_code: { NOT_JSON: 21, TIMESTAMP_INVALID: 11, FIELD_TOO_LONG: 5 } }

/** One of each: restoring, taken by nobody, an instance that does not tell. */
function troubledTasks(): Tasks {
  const tasks = tasksOf(['login-stats-a', 'login-stats-b', 'login-stats-c'], 6)
  const [first, second, third] = tasks.tasks
  if (first === undefined || second === undefined || third === undefined) throw new Error('too few tasks')
  first.state = 'restoring'
  first.restore = { position: 640_000, end: 800_000, remaining_records: 160_000, remaining_seconds: 3.4 }
  Object.assign(second, { state: 'unassigned', instance: null, lag_records: 1_284 })
  Object.assign(third, { state: 'unknown', lag_records: null })
  Object.assign(tasks.instances[2] ?? {}, { is_reachable: false, endpoint: null })
  return { ...tasks, group_state: 'PreparingRebalance' }
}

describe.skipIf(browserPath === null)(`the page${browserReason}`, () => {
  let browser: Browser
  let server: PageServer
  const opened: WatchedPage[] = []

  beforeAll(async () => {
    browser = await startBrowser()
  })
  afterAll(async () => {
    await browser?.close()
  })
  beforeEach(async () => {
    server = new PageServer()
    await server.start()
  })
  afterEach(async () => {
    for (const { page } of opened.splice(0)) await page.context().close()
    await server.stop()
  })

  async function open(options: Parameters<typeof openPage>[2] = {}, hash = ''): Promise<WatchedPage> {
    const watched = await openPage(browser, server.url + hash, options)
    opened.push(watched)
    return watched
  }

  const total = (page: Page) => page.locator('#total')
  const statusWord = (page: Page) => page.getByRole('status')
  const ranking = (page: Page, name: string) => page.getByRole('table', { name })
  const values = (page: Page, name: string) => ranking(page, name).locator('tbody th bdi').allTextContents()

  async function shows(
    target: { textContent(): Promise<string | null> },
    text: string | RegExp,
  ): Promise<void> {
    const expected = typeof text === 'string' ? expect.stringContaining(text) : expect.stringMatching(text)
    await expect.poll(() => target.textContent()).toEqual(expected)
  }

  test('shows totals, rankings, dead letters, tasks and instances, and changes with every event', async () => {
    server.known = { rows: usual, summary: { dead_letters: deadLetters }, tasks: troubledTasks() }
    const { page, complaints, foreignRequests } = await open()
    await shows(total(page), '185,')
    await shows(statusWord(page), 'Live')
    await shows(page.locator('#rate'), '1,200')
    // Of the input alone, without the partial counts between the tasks; one task of it is not known.
    await shows(page.locator('#lag'), /^at least 1,287 records$/)
    expect(await values(page, 'Locale')).toEqual([...locales.slice(0, 10), ...locales.slice(-3)])
    await shows(ranking(page, 'Locale').locator('.hidden-rows'), '13 more')
    await shows(ranking(page, 'by reason').locator('tbody tr').first(), 'NOT_JSON21')
    await shows(page.locator('#group'), 'PreparingRebalance')
    const [restoring] = await page
      .getByRole('table', { name: 'Tasks, where' })
      .locator('tbody tr')
      .allTextContents()
    expect(restoring).toContain('160,000 left, 3 s')
    await shows(page.getByRole('table', { name: 'Instances' }), 'does not answer')

    const russia = ranking(page, 'Locale').locator('tbody tr').first().locator('td').first()
    await shows(russia, '48,211')
    const more = usual.map((each) =>
      each.key === 'locale:RU' || each.key === 'total' ? { ...each, count: each.count + 1_000 } : each,
    )
    server.publish({ rows: more })
    await shows(russia, '49,211')
    await shows(total(page), '186,')
    expect(complaints).toEqual([])
    expect(foreignRequests).toEqual([])
  })

  test('the windows are switched with the mouse and with the keyboard, and the choice outlives a reload', async () => {
    const rows = withTotal([
      ...rankedRows('device_type', ['android', 'iOS', 'web'], 9_000),
      ...locales.map((value, index) => row('locale', value, 1_000 - index, { '5m': index })),
    ])
    server.known = { rows, summary: {}, tasks: null }
    const { page, complaints } = await open()
    await shows(page.locator('#total-label'), 'all time')
    await page.locator('.option', { hasText: '5m' }).click()
    await shows(page.locator('#total-label'), 'last 5m')
    await shows(total(page), '66')
    // Those with the most logins of the window are not among the ten of all time: the server was asked.
    await expect.poll(() => values(page, 'Locale')).toContain('PE')
    const [first] = await values(page, 'Locale')
    expect(first).toBe('PE')
    expect(server.requests).toContain('/api/summary?limit=10&window=5m')

    await page.reload()
    await shows(page.locator('#total-label'), 'last 5m')
    await page.getByRole('radio', { name: 'last 5m' }).focus()
    await page.keyboard.press('ArrowLeft')
    await shows(page.locator('#total-label'), 'last 1m')
    await page.keyboard.press('ArrowLeft')
    await shows(page.locator('#total-label'), 'all time')
    await expect.poll(() => values(page, 'Locale')).toEqual([...locales.slice(0, 10), ...locales.slice(-3)])
    expect(complaints).toEqual([])
  })

  test('shares are of all logins of the dimension, also where the total is behind, and in a window', async () => {
    const rows = rankedRows('device_type', ['android', 'iOS', 'web'], 9_000)
    const behind = [row('total', 'total', 5, { '5m': 1 }), ...rows]
    server.known = { rows: behind, summary: {}, tasks: null }
    const { page } = await open()
    const shares = () => ranking(page, 'Device type').locator('td.share').allTextContents()
    await expect.poll(shares).toEqual(['54.5%', '27.3%', '18.2%'])
    await page.locator('.option', { hasText: '5m' }).click()
    await shows(total(page), /^1$/)
    await expect.poll(shares).toEqual(['54.5%', '27.3%', '18.2%'])
  })

  test('the window that was chosen outlives a server that starts again, and a table that is empty for a while', async () => {
    server.known = { rows: usual, summary: {}, tasks: null }
    const { page } = await open()
    await page.locator('.option', { hasText: '5m' }).click()
    await shows(page.locator('#total-label'), 'last 5m')
    const nothing = { total: null, windows: [], dimensions: [] }
    server.publish({ rows: [], summary: { ...nothing, is_complete: false, age_ms: null } })
    await shows(statusWord(page), 'Reading the table')
    await shows(page.locator('#total-label'), 'last 5m')
    expect(await page.locator('#windows').isVisible()).toBe(true)
    server.publish({ rows: [], summary: nothing })
    await shows(page.locator('#total-label'), 'all time')
    expect(await page.locator('#windows').isVisible()).toBe(false)
    server.publish({ rows: usual, summary: {} })
    await shows(page.locator('#total-label'), 'last 5m')
    expect(await page.locator('input[value="5m"]').isChecked()).toBe(true)
  })

  test('where the rows of a window cannot be had, it says which it shows', async () => {
    const rows = withTotal(rankedRows('locale', locales, 9_000))
    server.known = { rows, summary: {}, tasks: null }
    const { page } = await open()
    await page.route('**/api/summary*', (route) => route.fulfill({ status: 503 }))
    await page.locator('.option', { hasText: '1h' }).click()
    await shows(page.locator('.dimension .aside').first(), 'those of all time')
    await page.unroute('**/api/summary*')
    server.publish()
    await expect
      .poll(
        () => {
          server.publish()
          return page.locator('.dimension .aside').first().textContent()
        },
        { interval: 300 },
      )
      .toBe('26 values')
  })

  test('values are shown as text, whatever they are', async () => {
    const hostile = [
      '<img src=x onerror="document.title=\'owned\'">',
      '<script>document.title="owned"</script>',
      '"><svg onload=alert(1)>',
      'safe\u202Etxt.exe',
      '   ',
      'é'.repeat(128),
      'x'.repeat(256),
    ]
    const tasks = tasksOf(['<b>bold</b>'], 2)
    Object.assign(tasks.instances[0] ?? {}, { endpoint: 'javascript:document.title="owned"' })
    server.known = {
      rows: withTotal(rankedRows('<i>locale</i>', hostile, 7_000)),
      summary: { dead_letters: { count: 1, by_code: { '<img src=x onerror=alert(1)>': 1 } } },
      tasks,
    }
    const { page, complaints, foreignRequests } = await open({ viewport: phone })
    await shows(page.locator('.dimension'), hostile[0] ?? '')
    for (const text of hostile.slice(0, 3)) await shows(page.locator('.dimension'), text)
    await shows(page.locator('.dimension'), 'safe[U+202E]txt.exe')
    await shows(page.getByRole('table', { name: 'Instances' }), '<b>bold</b>')
    expect(await page.locator('main img, main script, main svg, main b, main i').count()).toBe(0)
    expect(await page.locator('a[href^="javascript" i]').count()).toBe(0)
    expect(await page.title()).toBe('login-stats')
    expect(await overflow(page)).toBe(0)
    expect(complaints).toEqual([])
    expect(foreignRequests).toEqual([])
    await keepPicture(page, 'hostile-phone')
  })

  test('says that the connection is lost, how old the numbers are, and recovers by itself', async () => {
    server.known = { rows: usual, summary: {}, tasks: tasksOf(['a'], 2) }
    const { page } = await open()
    await shows(statusWord(page), 'Live')
    expect(await page.locator('#notice').isVisible()).toBe(false)
    await server.stop()
    await shows(statusWord(page), 'Connection lost')
    await shows(page.locator('#notice'), /cannot be reached.*These numbers are of .* ago/)
    await shows(page.locator('#status-age'), /[2-9] s old/)
    await shows(total(page), '185,')
    await keepPicture(page, 'lost-desktop-light')
    await server.start()
    await shows(statusWord(page), 'Live')
    expect(await page.locator('#notice').isVisible()).toBe(false)
  })

  test('a server that answers with an error is asked again', async () => {
    server.known = { rows: usual, summary: {}, tasks: null }
    const watched = await openPage(browser, `${server.url}favicon.svg`)
    opened.push(watched)
    const { page } = watched
    await page.route('**/api/stream*', (route) => route.fulfill({ status: 503, body: '{}' }))
    await page.goto(server.url)
    await shows(statusWord(page), 'Connection lost')
    await shows(page.locator('#notice'), /does not take the connection: it answers 503.*no numbers yet/)
    await page.unroute('**/api/stream*')
    const body = JSON.stringify({ error: { code: 'TOO_MANY_CLIENTS', message: 'As many as it takes.' } })
    await page.route('**/api/stream*', (route) => route.fulfill({ status: 503, body }))
    await server.stop()
    await server.start()
    await shows(page.locator('#notice'), 'does not take the connection: As many as it takes.')
    await page.unroute('**/api/stream*')
    await shows(statusWord(page), 'Live')
  })

  test('numbers that grow old are called stale, though the server is there', async () => {
    server.known = { rows: usual, summary: { age_ms: 34_000 }, tasks: null }
    const { page } = await open()
    await shows(statusWord(page), 'Stale')
    await shows(page.locator('#notice'), 'its numbers grow old')
    await shows(page.locator('#status-age'), '34 s old')
    server.publish({ summary: {} })
    await shows(statusWord(page), 'Live')
  })

  test('a connection that falls silent is given up, and made anew', async () => {
    server.known = { rows: usual, summary: {}, tasks: null }
    const context = await browser.newContext({ viewport: desktop })
    const page = await context.newPage()
    opened.push({ page, complaints: [], foreignRequests: [] })
    await page.clock.install()
    await page.goto(server.url)
    await shows(statusWord(page), 'Live')
    const before = server.requests.length
    await page.clock.runFor(10_000)
    await shows(statusWord(page), 'Stale')
    await page.clock.runFor(3_000)
    await expect.poll(() => server.requests.length).toBeGreaterThan(before)
    await page.clock.runFor(1_000)
    await shows(statusWord(page), 'Live')
  })

  test('while the server reads the table, it says that the counts are to come', async () => {
    server.known = { rows: [], summary: { is_complete: false, age_ms: null, windows: [] }, tasks: null }
    const { page } = await open()
    await shows(statusWord(page), 'Reading the table')
    await shows(page.locator('#notice'), 'come when it has read all of it')
  })

  test('where the server cannot read the table, it says why', async () => {
    const failure = { code: 'KAFKA_UNREACHABLE', message: 'No broker answers.' }
    const summary = { age_ms: null, is_complete: false, failure, windows: [] }
    server.known = { rows: [], summary, tasks: null }
    const { page } = await open()
    await shows(statusWord(page), 'Table not readable')
    await shows(page.locator('#notice'), 'tries again: No broker answers.')
    server.publish({ rows: usual, summary: {} })
    await shows(statusWord(page), 'Live')
    server.publish({ summary: { age_ms: 34_000, failure } })
    await shows(page.locator('#notice'), /grow old.*No broker answers/)
  })

  test('the first counts after the table was read are no logins a second', async () => {
    server.known = { rows: [], summary: { is_complete: false, windows: [] }, tasks: null }
    const context = await browser.newContext({ viewport: desktop })
    const page = await context.newPage()
    opened.push({ page, complaints: [], foreignRequests: [] })
    await page.clock.install()
    await page.goto(`${server.url}#last-1h`)
    await shows(statusWord(page), 'Reading the table')
    await page.clock.runFor(5_000)
    server.publish({ rows: usual, summary: {} })
    await shows(statusWord(page), 'Live')
    const pace = ranking(page, 'Device type').locator('.trend .unseen').first()
    await shows(pace, '– per second')
    await page.clock.runFor(5_000)
    server.publish({ rows: usual.map((each) => ({ ...each, count: each.count + 50 })) })
    await shows(pace, /^(9\.\d|10) per second$/)
    // Nor has the window of the address been forgotten, which was not offered at first.
    await shows(page.locator('#total-label'), 'last 1h')
  })

  test('before the first login it says so', async () => {
    server.known = { rows: [], summary: { dead_letters: null }, tasks: tasksOf(['a'], 2) }
    const { page, complaints } = await open()
    await shows(page.locator('#no-logins'), 'No logins yet')
    await expect.poll(() => page.locator('#no-logins').isVisible()).toBe(true)
    await shows(total(page), /^0$/)
    await keepPicture(page, 'empty-desktop-light')
    server.publish({ rows: usual })
    await shows(total(page), '185,')
    await expect.poll(() => page.locator('#no-logins').isVisible()).toBe(false)
    expect(complaints).toEqual([])
  })

  test('many values, many tasks and billions of logins find their place', async () => {
    const many = Array.from({ length: 2_000 }, (_, index) => `region-${index}`)
    const instances = Array.from({ length: 12 }, (_, index) => `login-stats-${index}`)
    server.known = {
      rows: withTotal([
        ...rankedRows('locale', many, 9_876_543_210),
        ...rankedRows('locale+device_type', ['RU+android', 'US+i%2BOS'], 987_654_321),
      ]),
      summary: { rate_per_second: 123_456.7 },
      tasks: tasksOf(instances, 64),
    }
    const { page, complaints } = await open({ viewport: phone })
    await shows(ranking(page, 'Locale: logins of all time').locator('.hidden-rows'), '1,987 more')
    await shows(ranking(page, 'Locale + device type'), 'US + i+OS')
    await shows(ranking(page, 'Locale: logins of all time'), '9,876,543,210')
    const rows = page.getByRole('table', { name: 'Tasks, where' }).locator('tbody tr')
    expect(await rows.count()).toBe(16)
    await page.getByRole('button', { name: 'Show all 128 tasks' }).click()
    expect(await rows.count()).toBe(128)
    await page.getByRole('button', { name: 'Show fewer' }).press('Enter')
    expect(await rows.count()).toBe(16)
    expect(await overflow(page)).toBe(0)
    expect(complaints).toEqual([])
    await keepPicture(page, 'many-phone')
  })

  test('is used with the keyboard: a skip link first, and the focus is always seen', async () => {
    server.known = { rows: usual, summary: {}, tasks: tasksOf(['a', 'b'], 16) }
    const { page } = await open()
    await shows(statusWord(page), 'Live')
    await page.keyboard.press('Tab')
    const skip = page.getByRole('link', { name: 'Skip to the counts' })
    expect(await skip.evaluate((link) => link.matches(':focus'))).toBe(true)
    expect((await skip.boundingBox())?.y).toBeGreaterThanOrEqual(0)
    await page.keyboard.press('Enter')
    expect(await page.evaluate<string>('document.activeElement.id')).toBe('main')
    await page.keyboard.press('Shift+Tab')
    const focused = await page.evaluate<string>(
      'getComputedStyle(document.activeElement.nextElementSibling).outlineStyle',
    )
    expect(focused).toBe('solid')
  })

  test('every table has a name, every chart too, and the tasks are a table on a phone as well', async () => {
    server.known = { rows: usual, summary: { dead_letters: deadLetters }, tasks: troubledTasks() }
    const { page } = await open({ viewport: phone })
    await shows(statusWord(page), 'Live')
    const tables = page.getByRole('table')
    expect(await tables.count()).toBe(6)
    for (const table of await tables.all()) {
      expect(await table.locator('caption').textContent()).toMatch(/\w+ \w+/)
    }
    const tasks = page.getByRole('table', { name: 'Tasks, where' })
    expect(await tasks.getByRole('row').count()).toBe(13)
    expect(await tasks.getByRole('row').nth(12).getByRole('cell').count()).toBe(5)
    await expect.poll(() => page.locator('#rate-chart').getAttribute('aria-label')).toContain('now 1,200')
  })

  test('a task that begins to restore moves no column', async () => {
    server.known = { rows: usual, summary: {}, tasks: tasksOf(['login-stats-a', 'login-stats-b'], 4) }
    const { page } = await open()
    const tasks = page.getByRole('table', { name: 'Tasks, where' })
    await shows(tasks, 'running')
    const columns = async () =>
      Promise.all(
        (await tasks.getByRole('columnheader').all()).map(async (one) => (await one.boundingBox())?.x),
      )
    const before = await columns()
    expect(before).toHaveLength(6)
    server.publish({ tasks: troubledTasks() })
    await shows(tasks, '160,000 left, 3 s')
    expect(await columns()).toEqual(before)
  })

  test('nothing moves for who asks for reduced motion', async () => {
    server.known = { rows: usual, summary: {}, tasks: null }
    const moving = 'getComputedStyle(document.querySelector(".bar")).transitionDuration'
    const { page } = await open({ reducedMotion: 'reduce' })
    await shows(statusWord(page), 'Live')
    expect(await page.evaluate<string>(moving)).toBe('0s')
    const { page: other } = await open({ reducedMotion: 'no-preference' })
    await shows(statusWord(other), 'Live')
    expect(await other.evaluate<string>(moving)).toBe('0.4s')
  })

  test.each([
    ['desktop', 'light', desktop],
    ['desktop', 'dark', desktop],
    ['phone', 'light', phone],
    ['phone', 'dark', phone],
  ] as const)(
    'on a %s, in the %s, it fits and is kept as a picture',
    async (device, colorScheme, viewport) => {
      server.known = { rows: usual, summary: { dead_letters: deadLetters }, tasks: troubledTasks() }
      const context = await browser.newContext({ viewport, colorScheme })
      const page = await context.newPage()
      opened.push({ page, complaints: [], foreignRequests: [] })
      await page.clock.install()
      await page.goto(server.url)
      let rows: readonly Row[] = usual
      for (let step = 0; step < 30; step += 1) {
        const wave = 1 + 0.35 * Math.sin(step / 3) + 0.1 * Math.sin(step * 2.1)
        rows = rows.map((each) => ({ ...each, count: each.count + Math.round((each.count / 900) * wave) }))
        server.publish({
          rows,
          summary: { dead_letters: deadLetters, rate_per_second: 1_000 * wave },
        })
        await shows(total(page), rows[0]?.count.toLocaleString('en') ?? '')
        await page.clock.runFor(5_000)
      }
      await shows(statusWord(page), 'Live')
      expect(await overflow(page)).toBe(0)
      await keepPicture(page, `${device}-${colorScheme}`)
    },
  )
})

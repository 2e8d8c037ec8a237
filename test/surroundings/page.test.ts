/** The page in a real browser, served by a real processor that counts from a real broker. */
import { type AddressInfo, createServer } from 'node:net'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Application } from '../support/application.ts'
import {
  browserPath,
  browserReason,
  keepPicture,
  openPage,
  overflow,
  phone,
  startBrowser,
} from '../support/browser.ts'
import { cleanUpAll, cleanUpLater } from '../support/clean-ups.ts'

/** A port that is free: the server must come back on the one that it had. */
async function freePort(): Promise<string> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  return String(port)
}

async function answers(url: string): Promise<void> {
  const answer = (): Promise<number> =>
    fetch(url).then(
      ({ status }) => status,
      () => 0,
    )
  await expect.poll(answer, { timeout: 60_000, interval: 200 }).toBe(200)
}

describe.skipIf(browserPath === null)(`the page of a running processor${browserReason}`, () => {
  let browser: Browser

  beforeAll(async () => {
    browser = await startBrowser()
  })
  afterAll(async () => {
    await browser?.close()
  })
  afterEach(cleanUpAll)

  const number = async (page: Page, selector: string): Promise<number> =>
    Number((await page.locator(selector).first().textContent())?.replaceAll(',', '') ?? Number.NaN)

  test('shows what has been counted, changes while logins arrive, and outlives the death of its server', async () => {
    const application = new Application('page', { HTTP_PORT: await freePort() })
    cleanUpLater(() => application.close())
    await application.createInput(2)
    const first = await application.produceLogins(2_000, { seed: 1, invalidShare: 0.02 })
    const validOf = (logins: typeof first): number => logins.filter(({ valid }) => valid).length
    const instance = application.start()
    const url = `http://127.0.0.1:${application.environment.HTTP_PORT}/`
    await answers(url)

    const { page, complaints, foreignRequests } = await openPage(browser, url)
    cleanUpLater(() => page.context().close())
    const counted = (expected: number) =>
      expect.poll(() => number(page, '#total'), { timeout: 60_000, interval: 200 }).toBe(expected)
    await counted(validOf(first))
    await expect.poll(() => page.getByRole('status').textContent()).toBe('Live')
    await expect.poll(() => number(page, '#dead-letter-count')).toBe(first.length - validOf(first))
    const locale = page.getByRole('table', { name: 'Locale' }).locator('tbody tr').first()
    const before = await locale.textContent()

    const second = await application.produceLogins(3_000, { seed: 2, invalidShare: 0.02 })
    await counted(validOf(first) + validOf(second))
    expect(await locale.textContent()).not.toBe(before)
    const tasks = page.getByRole('table', { name: 'Tasks, where' })
    await expect.poll(() => tasks.locator('tbody tr').count()).toBe(4)
    await expect.poll(() => tasks.getByText('running').count()).toBe(4)

    await page.locator('.option', { hasText: '1m' }).click()
    await expect.poll(() => page.locator('#total-label').textContent()).toBe('Logins, last 1m')
    await page.keyboard.press('ArrowLeft')
    await expect.poll(() => page.locator('#total-label').textContent()).toBe('Logins, all time')
    await keepPicture(page, 'real-desktop-light')
    await page.setViewportSize(phone)
    expect(await overflow(page)).toBe(0)
    expect(complaints).toEqual([])

    await instance.kill()
    await expect.poll(() => page.getByRole('status').textContent()).toBe('Connection lost')
    await expect.poll(() => page.locator('#notice').isVisible()).toBe(true)
    application.start()
    await expect.poll(() => page.getByRole('status').textContent(), { timeout: 60_000 }).toBe('Live')
    const third = await application.produceLogins(1_000, { seed: 3, invalidShare: 0 })
    await counted(validOf(first) + validOf(second) + validOf(third))
    expect(foreignRequests).toEqual([])
  }, 180_000)
})

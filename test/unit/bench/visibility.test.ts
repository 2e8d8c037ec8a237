import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TableContents } from '../../../bench/measure/table-contents.ts'
import { Timeline } from '../../../bench/measure/timeline.ts'

describe('Timeline', () => {
  it('says when a record could first be seen', () => {
    const timeline = new Timeline(2, 0)
    timeline.record(10, [3, 0])
    timeline.record(20, [3, 5])
    timeline.record(30, [8, 5])
    expect(timeline.visibleAt(0, 2)).toBe(10)
    expect(timeline.visibleAt(0, 3)).toBe(30)
    expect(timeline.visibleAt(1, 0)).toBe(20)
    expect(timeline.visibleAt(1, 5)).toBeNull()
    expect(timeline.firstAt()).toBe(10)
    expect(timeline.movedAt).toBe(30)
    expect(timeline.ends).toEqual([8, 5])
  })

  it('has seen nothing before anything moved', () => {
    const timeline = new Timeline(1, 7)
    timeline.record(9, [0])
    expect(timeline.firstAt()).toBeNull()
    expect(timeline.movedAt).toBe(7)
  })

  it('gives every offset the time of the first answer that covers it', () => {
    const steps = fc.array(fc.nat(5), { minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(steps, (increments) => {
        const timeline = new Timeline(1, 0)
        const ends: number[] = []
        for (const [time, increment] of increments.entries()) {
          ends.push((ends.at(-1) ?? 0) + increment)
          timeline.record(time, [ends.at(-1) ?? 0])
        }
        for (let offset = 0; offset < (ends.at(-1) ?? 0) + 2; offset++) {
          const naive = ends.findIndex((end) => end > offset)
          expect(timeline.visibleAt(0, offset)).toBe(naive < 0 ? null : naive)
        }
      }),
    )
  })
})

describe('TableContents', () => {
  it('is complete when every dimension has counted all', () => {
    const contents = new TableContents()
    contents.add({ key: 'locale:RU', count: 2 }, 0, 0)
    contents.add({ key: 'locale:US', count: 1 }, 1, 0)
    expect(contents.isComplete(['locale'], 3)).toBe(true)
    expect(contents.isComplete(['locale', 'device_type'], 3)).toBe(false)
    contents.add({ key: 'locale:RU', count: 3 }, 0, 1)
    expect(contents.isComplete(['locale'], 3)).toBe(false)
    expect(contents.isComplete(['locale'], 4)).toBe(true)
  })

  it('keeps the place where a count was said first', () => {
    const contents = new TableContents()
    contents.add({ key: 'locale:RU', count: 2 }, 0, 5)
    contents.add({ key: 'locale:RU', count: 2 }, 0, 9)
    expect(contents.place('locale:RU')).toMatchObject({ partition: 0, offset: 5 })
    expect(contents.place('locale:US')).toBeNull()
  })

  it('sums as the last rows do, whatever came before', () => {
    const row = fc.record({ user: fc.nat(5), count: fc.nat(100) })
    fc.assert(
      fc.property(fc.array(row), (rows) => {
        const contents = new TableContents()
        const last = new Map<string, number>()
        for (const [offset, { user, count }] of rows.entries()) {
          contents.add({ key: `user_id:${user}`, count }, 0, offset)
          last.set(`user_id:${user}`, count)
        }
        const sum = [...last.values()].reduce((total, count) => total + count, 0)
        expect(contents.counts).toEqual(last)
        if (rows.length > 0) expect(contents.isComplete(['user_id'], sum)).toBe(true)
        expect(contents.isComplete(['user_id'], sum + 1)).toBe(false)
      }),
    )
  })
})

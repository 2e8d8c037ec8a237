/** Fold, delta and counter together, against a model that keeps every event time. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseDimensions } from '../../../../src/login-stats/domain/dimensions.ts'
import {
  decodeCounter,
  encodeCounter,
  LoginCounter,
} from '../../../../src/login-stats/domain/login-counter.ts'
import { decodeDelta, encodeDelta, LoginDelta } from '../../../../src/login-stats/domain/login-delta.ts'
import { LoginFold } from '../../../../src/login-stats/domain/login-fold.ts'
import { LoginParser, type ParsedLogin } from '../../../../src/login-stats/domain/login-parser.ts'
import { OUTSIDE, parseWindows, TickGrid, type Windows } from '../../../../src/login-stats/domain/windows.ts'
import { loginGenerator } from '../../../../src/login-stats/generator/login-generator.ts'

const start = 1_694_479_551_000

/** CONTRACT, word for word. */
function naiveRolling(times: readonly number[], asOf: number, { list, panes }: Windows): number[] {
  return list.map(({ durationMs }) => {
    const pane = (t: number): number => Math.floor(t / (durationMs / panes))
    return times.filter((t) => pane(asOf) - panes < pane(t) && pane(t) <= pane(asOf)).length
  })
}

const settings = fc.constantFrom(
  parseWindows('1m,5m,1h,24h', 60),
  parseWindows('6s,9s', 3),
  parseWindows('10s', 1),
  parseWindows('2s,3s,1m', 4),
  parseWindows('1h,1m', 60),
  parseWindows('', 60),
)
/** Event times near stream time, equal ones, late ones of all degrees, and some of the future. */
const offset = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -5_000, max: 5_000 }) },
  { weight: 2, arbitrary: fc.integer({ min: -120_000, max: 0 }) },
  { weight: 1, arbitrary: fc.integer({ min: -90_000_000, max: 0 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 300_000 }) },
  { weight: 1, arbitrary: fc.constant(0) },
)
const step = fc.oneof(fc.integer({ min: 0, max: 3_000 }), fc.constantFrom(0, 60_000, 300_000, 86_400_000))

function loginAt(eventTimeMs: number): ParsedLogin {
  return { eventTimeMs, bytes: Buffer.alloc(0), starts: new Int32Array(0), ends: new Int32Array(0) }
}

function drainTotal(fold: LoginFold): LoginDelta | null {
  let delta: LoginDelta | null = null
  fold.drain((key, one) => {
    expect(key.toString()).toBe('total')
    delta = decodeDelta(encodeDelta(one))
  })
  return delta
}

describe('counting', () => {
  it('gives the counts of a model that keeps all event times, at every stream time', () => {
    const commits = fc.array(
      fc.record({
        tasks: fc.array(fc.array(offset, { maxLength: 12 }), { minLength: 1, maxLength: 3 }),
        aheadOfTasks: step,
        limited: fc.boolean(),
      }),
      { maxLength: 8 },
    )
    fc.assert(
      fc.property(settings, commits, (windows, list) => {
        const folds = [0, 1, 2].map(() => new LoginFold({ dimensions: [], windows }))
        let counter = new LoginCounter(windows)
        const times: number[] = []
        let streamTime = start
        for (const { tasks, aheadOfTasks, limited } of list) {
          const deltas: LoginDelta[] = []
          for (const [task, offsets] of tasks.entries()) {
            const fold = folds[task]!
            fold.limitStreamTime(limited ? streamTime : Number.POSITIVE_INFINITY)
            for (const one of offsets) {
              fold.add(loginAt(streamTime + one))
              times.push(streamTime + one)
            }
            const delta = drainTotal(fold)
            if (delta !== null) deltas.push(delta)
          }
          streamTime = Math.max(streamTime, ...folds.map((fold) => fold.streamTimeMs)) + aheadOfTasks
          for (const delta of deltas) counter.add(delta, streamTime)
          expect(counter.count).toBe(times.length)
          expect(counter.rolling(streamTime)).toEqual(naiveRolling(times, streamTime, windows))
          if (times.length === 0) continue
          expect(counter.firstSeen).toBe(Math.min(...times))
          expect(counter.lastSeen).toBe(Math.max(...times))
          const bytes = encodeCounter(counter)
          counter = decodeCounter(bytes, windows)
          expect(encodeCounter(counter)).toEqual(bytes)
        }
      }),
      { numRuns: 1_500 },
    )
  })

  it('names the next stream time at which a rolling count changes, through the decay of a silent key', () => {
    const small = fc.constantFrom(parseWindows('6s,9s', 3), parseWindows('10s', 1), parseWindows('2s,3s', 4))
    const times = fc.array(
      fc.integer({ min: -12_000, max: 12_000 }).map((t) => Math.floor(t / 250) * 250),
      { maxLength: 8 },
    )
    fc.assert(
      fc.property(small, times, fc.nat(1_000), (windows, offsets, late) => {
        const counter = new LoginCounter(windows)
        let streamTime = start + late
        const all = offsets.map((one) => start + one)
        const delta = new LoginDelta()
        for (const time of all) delta.add(time, Math.floor(time / windows.tickMs))
        counter.add(delta, streamTime)
        for (;;) {
          const next = counter.nextChange(streamTime)
          const present = naiveRolling(all, streamTime, windows)
          // No pane boundary is missed by this step: all are multiples of it.
          let time = (Math.floor(streamTime / windows.tickMs) + 1) * windows.tickMs
          const last = next ?? start + 40_000
          for (; time < last; time += windows.tickMs)
            expect(naiveRolling(all, time, windows)).toEqual(present)
          if (next === null) break
          expect(next).toBeGreaterThan(streamTime)
          expect(naiveRolling(all, next, windows)).not.toEqual(present)
          expect(naiveRolling(all, next - 1, windows)).toEqual(present)
          streamTime = next
          expect(counter.rolling(streamTime)).toEqual(naiveRolling(all, streamTime, windows))
          if (late % 2 === 0) counter.prune(streamTime)
        }
        counter.prune(streamTime)
        expect(counter.rolling(streamTime)).toEqual(windows.list.map(() => 0))
      }),
      { numRuns: 500 },
    )
  })

  it('comes to the same state however events are split over deltas and in whatever order these are added', () => {
    const events = fc.array(fc.tuple(offset, fc.nat(4)), { minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(settings, events, fc.boolean(), (windows, list, mergeFirst) => {
        const streamTime = start + 300_000
        const whole = new LoginDelta()
        const parts = Array.from({ length: 5 }, () => new LoginDelta())
        for (const [one, part] of list) {
          const time = start + one
          for (const delta of [whole, parts[part]!]) delta.add(time, Math.floor(time / windows.tickMs))
        }
        const used = parts.filter((delta) => delta.count > 0).reverse()
        const expected = new LoginCounter(windows)
        expected.add(whole, streamTime)
        const counter = new LoginCounter(windows)
        if (mergeFirst) {
          const merged = new LoginDelta()
          for (const delta of used) merged.merge(delta)
          expect(encodeDelta(merged)).toEqual(encodeDelta(whole))
          counter.add(merged, streamTime)
        } else {
          for (const delta of used) counter.add(decodeDelta(encodeDelta(delta)), streamTime)
        }
        expect(encodeCounter(counter)).toEqual(encodeCounter(expected))
      }),
    )
  })

  it('counts late logins by window, by the stream time that the task knows', () => {
    fc.assert(
      fc.property(settings, fc.array(offset, { maxLength: 60 }), (windows, offsets) => {
        const fold = new LoginFold({ dimensions: [], windows })
        const late = windows.list.map(() => 0)
        let streamTime = Number.NEGATIVE_INFINITY
        for (const one of offsets) {
          const time = start + one
          streamTime = Math.max(streamTime, time)
          for (const [index, { durationMs }] of windows.list.entries()) {
            const paneMs = durationMs / windows.panes
            if (Math.floor(time / paneMs) <= Math.floor(streamTime / paneMs) - windows.panes) late[index]!++
          }
          fold.add(loginAt(time))
        }
        expect([...fold.lateCounts]).toEqual(late)
      }),
    )
  })

  it('keeps a delta small while a backlog of days runs through it', () => {
    const windows = parseWindows('1m,5m,1h,24h', 60)
    const fold = new LoginFold({ dimensions: [], windows })
    for (let second = 0; second < 3 * 86_400; second += 7) fold.add(loginAt(start + second * 1_000))
    const delta = drainTotal(fold)!
    expect(delta.count).toBe(Math.ceil((3 * 86_400) / 7))
    expect(delta.ticks().length).toBeLessThan(4 * 61)
  })

  it('keeps a counter small, however long its key is busy', () => {
    const windows = parseWindows('1m,5m,1h,24h', 60)
    const counter = new LoginCounter(windows)
    for (let second = 0; second < 2 * 86_400; second += 20) {
      const delta = new LoginDelta()
      delta.add(start + second * 1_000, Math.floor(start / 1_000) + second)
      counter.add(delta, start + second * 1_000)
    }
    expect(encodeCounter(counter).length).toBeLessThan(700)
  })
})

describe('codecs', () => {
  const windows = parseWindows('1m,5m', 60)

  function someBytes(): { delta: Buffer; counter: Buffer } {
    const delta = new LoginDelta()
    for (const time of [start, start + 1, start + 9_000]) delta.add(time, Math.floor(time / 1_000))
    const counter = new LoginCounter(windows)
    counter.add(delta, start + 9_000)
    return { delta: encodeDelta(delta), counter: encodeCounter(counter) }
  }

  it('refuse a newer format by name', () => {
    const { delta, counter } = someBytes()
    for (const bytes of [delta, counter]) bytes[0] = 2
    expect(() => decodeDelta(delta)).toThrow('FORMAT_TOO_NEW')
    expect(() => decodeCounter(counter, windows)).toThrow('FORMAT_TOO_NEW')
  })

  it('refuse bytes that are cut or too long, and those of other windows', () => {
    const { delta, counter } = someBytes()
    for (let length = 0; length < delta.length; length++) {
      expect(() => decodeDelta(delta.subarray(0, length))).toThrow(RangeError)
    }
    for (let length = 0; length < counter.length; length++) {
      expect(() => decodeCounter(counter.subarray(0, length), windows)).toThrow(RangeError)
    }
    expect(() => decodeDelta(Buffer.concat([delta, Buffer.of(0)]))).toThrow(RangeError)
    expect(() => decodeCounter(counter, parseWindows('1m', 60))).toThrow(RangeError)
  })
})

describe('TickGrid', () => {
  it('tells apart what an open window tells apart, and nothing that is late for all', () => {
    fc.assert(
      fc.property(settings, offset, offset, (windows, one, other) => {
        const grid = new TickGrid(windows)
        grid.moveTo(start)
        const [a, b] = [start + one, start + other]
        const open = (t: number): boolean[] =>
          windows.list.map(
            ({ paneMs }) => Math.floor(t / paneMs) > Math.floor(start / paneMs) - windows.panes,
          )
        const samePanes = windows.list.every(
          ({ paneMs }, index) =>
            open(a)[index] === open(b)[index] &&
            (!open(a)[index] || Math.floor(a / paneMs) === Math.floor(b / paneMs)),
        )
        if (grid.tickOf(a) === grid.tickOf(b)) expect(samePanes).toBe(true)
        expect(grid.tickOf(a) === OUTSIDE).toBe(!open(a).includes(true))
        expect(grid.coarsen(grid.tickOf(a) === OUTSIDE ? OUTSIDE : grid.tickOf(a))).toBe(grid.tickOf(a))
      }),
    )
  })
})

describe('ROLLING_WINDOWS', () => {
  it('splits windows into panes, with the widest tick that divides all', () => {
    expect(parseWindows(' 1m, 5m,1h ,24h', 60)).toEqual({
      list: [
        { name: '1m', durationMs: 60_000, paneMs: 1_000 },
        { name: '5m', durationMs: 300_000, paneMs: 5_000 },
        { name: '1h', durationMs: 3_600_000, paneMs: 60_000 },
        { name: '24h', durationMs: 86_400_000, paneMs: 1_440_000 },
      ],
      panes: 60,
      tickMs: 1_000,
    })
    expect(parseWindows('6s,9s', 3).tickMs).toBe(1_000)
    expect(parseWindows('', 60).list).toEqual([])
  })

  it.each([
    ['1s', 60, '"1s" (1000 ms) does not split into 60 panes of whole milliseconds.'],
    ['5x', 60, '"5x" is not a window'],
    ['0m', 60, '"0m" is not a window'],
    ['1m,', 60, '"" is not a window'],
    ['1m,1m', 60, '1m stands there twice.'],
    ['1m', 0, 'ROLLING_PANES must be'],
  ])('refuses %s in %d panes with a reason', (text, panes, reason) => {
    expect(() => parseWindows(text, panes)).toThrow(reason)
  })
})

describe('dimensions in a fold', () => {
  it('count each value of each dimension once per login, also many of them, and over several drains', () => {
    const dimensions = parseDimensions('a,b,a+b')
    const windows = parseWindows('1m', 60)
    const value = fc.string({ unit: fc.constantFrom('x', 'y', '+', ':', '%', 'é'), maxLength: 3 })
    const many = fc.nat(2_000).map(String)
    const pair = fc.tuple(fc.oneof(value, many), value)
    fc.assert(
      fc.property(fc.array(fc.array(pair, { maxLength: 300 }), { maxLength: 3 }), (rounds) => {
        const fold = new LoginFold({ dimensions, windows })
        for (const round of rounds) {
          const expected = new Map<string, number>()
          const count = (key: string): unknown => expected.set(key, (expected.get(key) ?? 0) + 1)
          const encode = (text: string): string =>
            (text === '' ? 'unknown' : text).replace(/[%:+]/g, (c) => encodeURIComponent(c))
          for (const [a, b] of round) {
            const bytes = Buffer.from(`##${a}${b}##`)
            const middle = 2 + Buffer.byteLength(a)
            const starts = Int32Array.of(2, middle)
            const ends = Int32Array.of(middle, middle + Buffer.byteLength(b))
            fold.add({ eventTimeMs: start, bytes, starts, ends })
            for (const key of ['total', `a:${encode(a)}`, `b:${encode(b)}`, `a+b:${encode(a)}+${encode(b)}`])
              count(key)
          }
          expect(fold.keyCount).toBe(expected.size)
          const counted = new Map<string, number>()
          fold.drain((key, delta) => counted.set(key.toString(), delta.count))
          expect(counted).toEqual(expected)
          expect(fold.keyCount).toBe(0)
        }
      }),
      { numRuns: 200 },
    )
  })

  it('keep values apart whose hashes are the same', () => {
    const fold = new LoginFold({ dimensions: parseDimensions('a'), windows: parseWindows('', 60) })
    // Two known collisions of 32-bit FNV-1a.
    for (const value of ['costarring', 'liquid', 'declinate', 'macallums', 'liquid']) {
      const bytes = Buffer.from(value)
      fold.add({ eventTimeMs: start, bytes, starts: Int32Array.of(0), ends: Int32Array.of(bytes.length) })
    }
    const counted: [string, number][] = []
    fold.drain((key, delta) => counted.push([key.toString(), delta.count]))
    expect(counted).toEqual([
      ['total', 5],
      ['a:costarring', 1],
      ['a:liquid', 2],
      ['a:declinate', 1],
      ['a:macallums', 1],
    ])
  })

  it('come out of raw records as JSON.parse would count them, the unknown ones in one row', () => {
    const dimensions = parseDimensions('locale,device_type+locale,city')
    const windows = parseWindows('1m,24h', 60)
    const parser = new LoginParser({ dimensions, maxClockSkewMs: 0 })
    const fold = new LoginFold({ dimensions, windows })
    const expected = new Map<string, number>()
    const literal = '{"user_id":"u","timestamp":"1694479551","locale":"unknown","city":"unknown"}'
    const escaped = literal.replaceAll('unknown', '\\u0075nknown')
    const generator = loginGenerator({ seed: 4 })
    const values = Array.from({ length: 5_000 }, () => generator.next().value.value as Buffer)
    for (const value of [...values, Buffer.from(literal), Buffer.from(escaped)]) {
      expect(parser.parse(value, 0, value.length, start + 86_400_000)).toBeNull()
      fold.add(parser)
      const login = JSON.parse(value.toString()) as Record<string, string | null>
      const [locale, device, city] = ['locale', 'device_type', 'city'].map((field) =>
        (login[field] || 'unknown').replace(/[%:+]/g, (c) => encodeURIComponent(c)),
      )
      for (const key of [
        'total',
        `locale:${locale}`,
        `device_type+locale:${device}+${locale}`,
        `city:${city}`,
      ]) {
        expected.set(key, (expected.get(key) ?? 0) + 1)
      }
    }
    const counted = new Map<string, number>()
    fold.drain((key, delta) => {
      expect(counted.has(key.toString())).toBe(false)
      counted.set(key.toString(), delta.count)
    })
    expect(counted).toEqual(expected)
  })
})

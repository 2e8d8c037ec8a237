/**
 * How many logins a second one core takes: parse, validate and fold into the deltas of three dimensions, as the first stage
 * does; beside it JSON.parse alone, and what enriching, generating and a row of the table cost.
 *
 *     node bench/micro/login-parser.ts
 */
import { parseDimensions } from '../../src/login-stats/domain/dimensions.ts'
import { Enricher } from '../../src/login-stats/domain/enriched.ts'
import { decodeCounter, encodeCounter, LoginCounter } from '../../src/login-stats/domain/login-counter.ts'
import { decodeDelta, encodeDelta, LoginDelta } from '../../src/login-stats/domain/login-delta.ts'
import { LoginFold } from '../../src/login-stats/domain/login-fold.ts'
import { LoginParser } from '../../src/login-stats/domain/login-parser.ts'
import { encodeRow } from '../../src/login-stats/domain/table-row.ts'
import { parseWindows } from '../../src/login-stats/domain/windows.ts'
import { loginGenerator } from '../../src/login-stats/generator/login-generator.ts'

const LOGINS = 100_000
const ROUNDS = 12

const values: Buffer[] = []
const generator = loginGenerator({ seed: 1 })
time('generate', LOGINS, 1, () => {
  while (values.length < LOGINS) {
    const { value } = generator.next().value
    if (value !== null) values.push(value)
  }
})

// As in a fetch answer: all in one buffer, one after the other.
const bytes = Buffer.concat(values)
const ends: number[] = []
let total = 0
for (const value of values) {
  total += value.length
  ends.push(total)
}

const dimensions = parseDimensions('locale,device_type,app_version')
const windows = parseWindows('1m,5m,1h,24h', 60)
const recordTimestamp = Date.UTC(2030, 0, 1)
const parser = new LoginParser({ dimensions, maxClockSkewMs: 300_000 })
const fold = new LoginFold({ dimensions, windows })
const enricher = new Enricher()

function eachLogin(use: (start: number, end: number) => void): void {
  let start = 0
  for (const end of ends) {
    use(start, end)
    start = end
  }
}

time('JSON.parse alone', LOGINS, 4, () =>
  eachLogin((start, end) => JSON.parse(bytes.toString('utf8', start, end))),
)
time('parse and validate', LOGINS, ROUNDS, () =>
  eachLogin((start, end) => parser.parse(bytes, start, end, recordTimestamp)),
)
console.log(`  by JSON.parse: ${((100 * parser.slowParses) / (LOGINS * ROUNDS)).toFixed(1)} %`)
let keys = 0
time('parse, validate, fold', LOGINS, ROUNDS, () => {
  eachLogin((start, end) => {
    if (parser.parse(bytes, start, end, recordTimestamp) === null) fold.add(parser)
  })
  keys = 0
  fold.drain((_, delta) => {
    keys += encodeDelta(delta).length > 0 ? 1 : 0
  })
})
console.log(`  deltas: ${keys}`)
time('parse, validate, enrich', LOGINS, ROUNDS, () =>
  eachLogin((start, end) => {
    if (parser.parse(bytes, start, end, recordTimestamp) !== null) return
    const { eventTimeMs, hasEnrichedFields } = parser
    enricher.enrich(bytes, start, end, { eventTimeMs, processedTimeMs: recordTimestamp, hasEnrichedFields })
  }),
)

eachLogin((start, end) => {
  if (parser.parse(bytes, start, end, recordTimestamp) === null) fold.add(parser)
})
let delta: Buffer = Buffer.alloc(0)
fold.drain((key, one) => {
  if (key.toString() === 'total') delta = encodeDelta(one)
})
const counter = new LoginCounter(windows)
time('add a backlog of 100 s', 10_000, 4, () => {
  for (let index = 0; index < 10_000; index++) {
    counter.add(decodeDelta(delta), fold.streamTimeMs)
    encodeCounter(counter)
    encodeRow(Buffer.from('total'), counter, fold.streamTimeMs)
  }
})
const steady = new LoginCounter(windows)
let nowMs = fold.streamTimeMs
time('add a login, encode, row', 10_000, 8, () => {
  for (let index = 0; index < 10_000; index++) {
    nowMs += 100
    const one = new LoginDelta()
    one.add(nowMs, Math.floor(nowMs / windows.tickMs))
    steady.add(decodeDelta(encodeDelta(one)), nowMs)
    encodeCounter(steady)
    encodeRow(Buffer.from('total'), steady, nowMs)
  }
})
const encoded = encodeCounter(counter)
time('decode a counter', 10_000, 4, () => {
  for (let index = 0; index < 10_000; index++) decodeCounter(encoded, windows)
})
console.log(`  delta ${delta.length} bytes, counter ${encoded.length} bytes`)

/** Prints the best of the rounds, in thousands a second. */
function time(name: string, count: number, rounds: number, work: () => void): void {
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round++) {
    const start = performance.now()
    work()
    best = Math.min(best, performance.now() - start)
  }
  console.log(`${name.padEnd(26)} ${Math.round(count / best).toLocaleString('en')} k/s`)
}

import type { Aggregate } from '../streams/index.ts'
import { TOTAL_KEY } from './domain/dimensions.ts'
import { decodeCounter, encodeCounter, LoginCounter } from './domain/login-counter.ts'
import { decodeDelta, encodeDelta, LoginDelta } from './domain/login-delta.ts'
import { encodeRow } from './domain/table-row.ts'
import { oldestPane, type Windows } from './domain/windows.ts'
import type { TaskMeter } from './metrics/login-meter.ts'

const totalKey = Buffer.from(TOTAL_KEY)

/** How logins are counted: partial counts (deltas) add up to the counter of a table key, which shows as a table row. */
export function loginAggregate(windows: Windows, meter?: TaskMeter): Aggregate<LoginDelta, LoginCounter> {
  return {
    createDelta: () => new LoginDelta(),
    encodeDelta,
    decodeDelta,
    createState: () => new LoginCounter(windows),
    add: (counter, delta, streamTime, key) => {
      counter.add(delta, streamTime)
      // Each login counts in the total once, and in other rows too.
      if (meter !== undefined && key.equals(totalKey)) meterLate(meter, windows, delta, streamTime)
    },
    encodeState: encodeCounter,
    decodeState: (bytes) => decodeCounter(bytes, windows),
    nextChange: (counter, streamTime) => counter.nextChange(streamTime),
    emit: (key, counter, streamTime) => encodeRow(key, counter, streamTime),
  }
}

/** Tells of the logins that are older than a window. Those that are too old for all windows have no tick any more. */
function meterLate(
  meter: TaskMeter,
  { list, panes, tickMs }: Windows,
  delta: LoginDelta,
  streamTime: number,
): void {
  for (const window of list) {
    const oldest = oldestPane(window, panes, streamTime)
    let late = delta.count
    for (const [tick, count] of delta.ticks()) {
      if (Math.floor((tick * tickMs) / window.paneMs) >= oldest) late -= count
    }
    if (late > 0) meter.late(window.name, late)
  }
}

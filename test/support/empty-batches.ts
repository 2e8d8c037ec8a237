import { systemClock } from '../../src/system/clock.ts'
import { openReader, readBatches } from '../../src/verify/index.ts'
import type { Application } from './application.ts'

/** How many batches of partition 0 compaction has left without records. */
export async function emptyBatches({ config }: Application, topic: string): Promise<number> {
  const reader = await openReader({ brokers: config.brokers }, systemClock)
  try {
    const [end = 0] = await reader.offsets(topic, 'lastStable')
    let empty = 0
    for (let position = 0; position < end; ) {
      const { records } = await reader.fetch(topic, 0, position, 1 << 20)
      const before = position
      for (const batch of readBatches(records)) {
        if (batch.recordCount === 0) empty++
        position = batch.lastOffset + 1
      }
      if (position === before) break
    }
    return empty
  } finally {
    await reader.close()
  }
}

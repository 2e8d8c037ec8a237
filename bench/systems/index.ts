import { flink } from './flink.ts'
import { kafkaStreams } from './kafka-streams.ts'
import { kafkajsLimit, scanLimit } from './limits.ts'
import { loginStats, loginStatsByTask } from './login-stats.ts'
import type { System, SystemName } from './system.ts'

/** All systems, in the order of tables and plots. */
export const systems: readonly System[] = [
  loginStats,
  loginStatsByTask,
  kafkaStreams,
  flink,
  scanLimit,
  kafkajsLimit,
]

export function systemOf(name: SystemName): System {
  const found = systems.find((system) => system.name === name)
  if (found === undefined) throw new Error(`There is no system ${name}.`)
  return found
}

export type { Launched } from './launched.ts'
export { type Job, type System, type SystemName, SystemUnavailable } from './system.ts'

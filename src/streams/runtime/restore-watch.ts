import type { Clock } from '../../ports/clock.ts'
import type { EngineObserver, RestoreProgress } from './engine-observer.ts'

/** How far a restore is; offsets of the changelog. */
export interface RestoreStatus {
  readonly position: number
  /** Exclusive. */
  readonly end: number
  /** At the pace since it began; null until that is known. */
  readonly remainingSeconds: number | null
}

/** Remembers how far the restores under way are. */
export class RestoreWatch implements EngineObserver {
  readonly #clock: Clock
  readonly #restores = new Map<string, { startedAt: number; status: RestoreStatus }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Null while the task restores nothing. */
  of(taskId: string): RestoreStatus | null {
    return this.#restores.get(taskId)?.status ?? null
  }

  restoring({ taskId, from, position, end }: RestoreProgress): void {
    const now = this.#clock.monotonic()
    const startedAt = this.#restores.get(taskId)?.startedAt ?? now
    const seconds = (now - startedAt) / 1000
    const perSecond = seconds > 0 ? (position - from) / seconds : 0
    const remainingSeconds = perSecond > 0 ? (end - position) / perSecond : null
    this.#restores.set(taskId, { startedAt, status: { position, end, remainingSeconds } })
  }

  /** A restore has ended, or begins anew. */
  taskChanged(taskId: string): void {
    this.#restores.delete(taskId)
  }
}

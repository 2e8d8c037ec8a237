import type { Clock } from '../../ports/clock.ts'
import type { EngineObserver } from './engine-observer.ts'

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

  restoring({
    taskId,
    from,
    position,
    end,
  }: {
    taskId: string
    from: number
    position: number
    end: number
  }) {
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

/** One observer that tells several. */
export function observers(all: readonly EngineObserver[]): EngineObserver {
  const told = <Name extends keyof EngineObserver>(name: Name) => {
    const listeners = all.filter((observer) => observer[name] !== undefined)
    return (...facts: Parameters<NonNullable<EngineObserver[Name]>>): void => {
      for (const observer of listeners) {
        const listen = observer[name] as (...facts: Parameters<NonNullable<EngineObserver[Name]>>) => void
        listen.apply(observer, facts)
      }
    }
  }
  return {
    taskChanged: told('taskChanged'),
    takeOverStep: told('takeOverStep'),
    commitStep: told('commitStep'),
    committed: told('committed'),
    restoring: told('restoring'),
    restored: told('restored'),
    storeWiped: told('storeWiped'),
    aborted: told('aborted'),
    rebalanced: told('rebalanced'),
  }
}

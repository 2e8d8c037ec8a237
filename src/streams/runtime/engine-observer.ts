import type { CodedError } from '../../errors.ts'
import type { WipeReason } from '../store/types.ts'
import type { TaskState } from '../task/task-state.ts'
import type { TransactionOutcome } from '../transactions/transactions.ts'

/** The numbered steps of a commit; see `task/commit.ts`. */
export type CommitStep = 1 | 2 | 3 | 4 | 5

/** The numbered steps of taking over a task; see `task/take-over.ts`. */
export type TakeOverStep = 1 | 2 | 3 | 4 | 5 | 6

export interface RestoreProgress {
  readonly taskId: string
  readonly from: number
  readonly position: number
  readonly end: number
  readonly restoredRecords: number
}

export interface CommitFacts {
  readonly durationMs: number
  /** Records sent to sinks. */
  readonly records: number
  readonly caughtUp: boolean
  /** When the oldest record that it stems from was appended to an input of the application, in ms; null where that is not known. */
  readonly originAt: number | null
}

/** Told what the engine does; for logs, metrics, progress bars, and for tests that crash it at a given point. */
export interface EngineObserver {
  taskChanged?(taskId: string, state: TaskState): void
  /** A step of a take-over has been completed. Tasks without a store have no steps 4 and 5. */
  takeOverStep?(taskId: string, step: TakeOverStep): void
  /** A step of a commit has been completed. */
  commitStep?(taskId: string, step: CommitStep): void
  /** A task's commit is a fact. Those of several tasks may have been one transaction. */
  committed?(taskId: string, facts: CommitFacts): void
  transactionEnded?(outcome: TransactionOutcome): void
  restoring?(progress: RestoreProgress): void
  restored?(taskId: string, facts: { restoredRecords: number; durationMs: number }): void
  storeWiped?(taskId: string, reason: WipeReason, detail: string): void
  aborted?(taskId: string, error: CodedError): void
  rebalanced?(facts: { assigned: readonly string[]; revoked: readonly string[]; durationMs: number }): void
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
    transactionEnded: told('transactionEnded'),
    restoring: told('restoring'),
    restored: told('restored'),
    storeWiped: told('storeWiped'),
    aborted: told('aborted'),
    rebalanced: told('rebalanced'),
  }
}

import type { VerifyReport } from '../../src/verify/index.ts'
import type { Application } from './application.ts'
import type { Figures } from './fault-rounds.ts'
import { killAllInstances } from './instance.ts'
import { Load } from './load.ts'
import { expectExact } from './oracle.ts'
import { ProgressWatch } from './progress.ts'

/** An application whose input goes on growing while a fault test works on its instances, until `expectExact`. */
export class UnderLoad {
  static #current: UnderLoad | null = null
  readonly application: Application
  readonly #load: Load
  #watch: ProgressWatch | null = null

  /** A hundred logins a transaction, one every `pauseMs` and a little more. */
  static async start(
    application: Application,
    options: { seed: number; partitionCount: number; pauseMs?: number },
  ): Promise<UnderLoad> {
    await application.createInput(options.partitionCount)
    UnderLoad.#current = new UnderLoad(application, options)
    return UnderLoad.#current
  }

  /** For `afterEach`: ends what goes on, also where the test has failed. */
  static async close(): Promise<void> {
    const current = UnderLoad.#current
    UnderLoad.#current = null
    try {
      await killAllInstances()
    } finally {
      if (current !== null) await current.#close()
    }
  }

  private constructor(application: Application, options: { seed: number; pauseMs?: number }) {
    const { seed, pauseMs = 10 } = options
    this.application = application
    this.#load = new Load(application, { seed, batch: 100, pauseMs })
  }

  async #close(): Promise<void> {
    try {
      await this.#load.end()
    } finally {
      try {
        await this.#watch?.end()
      } finally {
        await this.application.close()
      }
    }
  }

  /** From here on, usually when all have their tasks, the longest time without progress is looked for. */
  watchProgress(): void {
    this.#watch = new ProgressWatch(this.application)
  }

  /** Ends the load; then all of it must have been counted, and counted right. */
  async expectExact(faults: number): Promise<{ report: VerifyReport; figures: Figures }> {
    const report = await expectExact(this.application, await this.#load.end())
    const stalledMs = (await this.#watch?.end()) ?? 0
    const logins = report.logins.valid + report.logins.invalid
    return { report, figures: { logins, faults, stalledMs } }
  }
}

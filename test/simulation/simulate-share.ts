/** A worker of `simulate.ts --workers`: runs its share of the seeds, and tells each outcome. */
import { parentPort, workerData } from 'node:worker_threads'
import { runSeeds, type Share } from './seeds.ts'

await runSeeds(workerData as Share, (outcome) => parentPort?.postMessage(outcome))

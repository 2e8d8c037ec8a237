/**
 * The program. Signals are heard before anything else is loaded: to process 1, as which a container has it, those that nobody hears do
 * not come at all.
 */
import { StopRequest } from './stop-request.ts'

const stop = StopRequest.bySignals()
const { runProcess } = await import('./run-process.ts')
await runProcess(stop)

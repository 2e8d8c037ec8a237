import { runStreamThread } from './stream-thread-worker.ts'

await runStreamThread()

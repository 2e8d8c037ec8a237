import { runStreamThread } from '../../src/login-stats/stream-thread-worker.ts'
import { createLogger } from '../../src/system/logger.ts'
import { crashPoint } from './crash-point.ts'

await runStreamThread(crashPoint(createLogger({ level: 'info' })))

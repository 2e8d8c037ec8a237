/** Signals and the life of the process. */

/** Calls `handler` at each SIGINT or SIGTERM. Returns how to stop listening. */
export function onTermination(handler: (signal: 'SIGINT' | 'SIGTERM') => void): () => void {
  const onInterrupt = (): void => handler('SIGINT')
  const onTerminate = (): void => handler('SIGTERM')
  process.on('SIGINT', onInterrupt)
  process.on('SIGTERM', onTerminate)
  return () => {
    process.off('SIGINT', onInterrupt)
    process.off('SIGTERM', onTerminate)
  }
}

/** Ends the process as it is. */
export function endNow(exitCode: number): void {
  process.exit(exitCode)
}

/** Calls `listener` with the exit code when the process ends, however it does so by itself; what it does must not wait. */
export function onExit(listener: (exitCode: number) => void): void {
  process.on('exit', listener)
}

/** Who runs it: the user's number, be there a name for it or not; -1 on a system that has none. */
export function userId(): number {
  return process.getuid?.() ?? -1
}

/** Keeps the process alive, whatever its timers and sockets, until the returned function is called. */
export function keepAlive(): () => void {
  const handle = setInterval(() => {}, 1 << 30)
  return () => clearInterval(handle)
}

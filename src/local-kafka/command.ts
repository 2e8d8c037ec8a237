import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'

export interface CommandResult {
  /** Null if a signal ended it or if it could not be started. */
  readonly exitCode: number | null
  readonly stdout: string
  /** Also says why the command could not be started. */
  readonly stderr: string
}

/** Runs a command to its end. Never rejects: a missing command is a result too, with `exitCode` null. */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: {
    readonly stdin?: string | Buffer
    readonly timeoutMs?: number
    /** Ends it. */
    readonly signal?: AbortSignal | undefined
  } = {},
): Promise<CommandResult> {
  const timeout =
    options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs, killSignal: 'SIGKILL' as const }
  const child = spawn(command, args, { ...timeout, signal: options.signal })
  let failure = ''
  const ended = new Promise<number | null>((resolve) => {
    child.once('error', (error) => {
      failure = error.message
      resolve(null)
    })
    child.once('close', (code) => resolve(code))
  })
  // A command that ends without reading its input breaks the pipe; its exit code and stderr tell about that.
  child.stdin.on('error', (error) => {
    failure ||= error.message
  })
  child.stdin.end(options.stdin)
  const [exitCode, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  return { exitCode, stdout, stderr: exitCode === 0 || failure === '' ? stderr : `${stderr}${failure}` }
}

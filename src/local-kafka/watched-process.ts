/**
 * A child process that cannot outlive this one, whatever ends this one.
 *
 * 1. A shell starts the program and holds one end of a pipe, the lifeline; this process holds the other end
 *    and never writes to it. The program itself does not inherit it.
 * 2. When this process ends, by exit, signal or kill -9, the kernel closes its end; the shell sees the end of the
 *    file, kills the program (a stopped one too) and removes the given directory.
 * 3. When the program ends first, the shell ends with its exit code and leaves the directory alone.
 *
 * Shell and program are a session of their own, so that Ctrl-C in the terminal reaches this process alone,
 * which can then end its brokers in order.
 */
import { spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { unavailable } from './unavailable.ts'

const script = `
directory=$1
shift
exec 4<&0
"$@" <&4 4<&- 3>&- &
program=$!
exec 4<&- </dev/null
echo "$program" >&3
(read -r line <&3; trap '' TERM; kill -KILL "$program") 2>/dev/null &
watcher=$!
wait "$program" 2>/dev/null
code=$?
kill "$watcher" 2>/dev/null
if wait "$watcher" 2>/dev/null && [ -n "$directory" ]; then rm -rf -- "$directory"; fi
exit "$code"
`

export interface WatchedProcessOptions {
  /** Removed if this process vanishes. */
  readonly directory?: string
  /** File descriptors for the program, or `pipe`. Its standard input is a pipe only if `stdin` says so. */
  readonly stdin?: 'ignore' | 'pipe'
  readonly output: number | 'pipe'
}

export interface WatchedProcess {
  /** Of the program, not of the shell. */
  readonly pid: number
  readonly running: boolean
  /** The exit code once it has ended; 128 + n where signal n ended it. */
  readonly ended: Promise<number>
  readonly stdin: Writable | null
  readonly stdout: Readable | null
  readonly stderr: Readable | null
  /** Sends a signal to the program; nothing happens if it has ended. */
  signal(name: NodeJS.Signals): void
  /** From now on this process stays alive until the program has ended; else it may end first, and take it along. */
  hold(): void
}

export async function startWatched(
  command: string,
  args: readonly string[],
  { directory = '', stdin = 'ignore', output }: WatchedProcessOptions,
): Promise<WatchedProcess> {
  const child = spawn('/bin/sh', ['-c', script, 'sh', directory, command, ...args], {
    detached: true,
    stdio: [stdin, output, output, 'pipe'],
  })
  let running = true
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      running = false
      resolve(code ?? 1)
    })
  })
  const lifeline = child.stdio[3] as Socket
  const pid = await firstNumber(lifeline, ended)
  // A broker that nobody closes must not keep this process from ending.
  child.unref()
  lifeline.unref()
  return {
    pid,
    get running() {
      return running
    },
    ended,
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    signal(name) {
      if (running) sendSignal(pid, name)
    },
    hold: () => child.ref(),
  }
}

/** The line that the shell writes to the lifeline: the pid of the program. */
function firstNumber(lifeline: Socket, ended: Promise<number>): Promise<number> {
  return new Promise((resolve, reject) => {
    let line = ''
    lifeline.on('error', reject)
    lifeline.on('data', (chunk: Buffer) => {
      line += chunk.toString()
      if (line.endsWith('\n')) resolve(Number(line))
    })
    ended.then(
      () => reject(unavailable('Starting a process', 'The shell ended before the program ran.')),
      reject,
    )
  })
}

function sendSignal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    // It has just ended by itself, which is what most signals are for.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

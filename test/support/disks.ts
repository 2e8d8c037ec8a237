/**
 * File systems of a test's own, that can be full, broken or read-only under a running process. Mounting takes root, and the last
 * two a loop device: `unavailable` says what is missing.
 */
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'

export interface Disk {
  readonly directory: string
  /** Nothing may have a file open on it. */
  remove(): void
}

/** The name of the file that takes all the space of a full disk. */
const fillerName = 'filler'

export class TmpfsDisk implements Disk {
  readonly directory: string

  constructor(size: string) {
    this.directory = mkdtempSync(join(tmpdir(), 'tmpfs-disk-'))
    try {
      execute('mount', '-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', this.directory)
    } catch (error) {
      rmSync(this.directory, { recursive: true })
      throw error
    }
  }

  /** Not a byte is free when it returns. */
  fill(): void {
    const filler = openSync(join(this.directory, fillerName), 'w')
    try {
      for (let size = 1 << 20; size > 0; ) {
        try {
          writeSync(filler, Buffer.alloc(size))
        } catch (error) {
          if (!isFull(error)) throw error
          size >>= 1
        }
      }
    } finally {
      closeSync(filler)
    }
  }

  free(): void {
    rmSync(join(this.directory, fillerName))
  }

  resize(size: string): void {
    execute('mount', '-o', `remount,size=${size}`, this.directory)
  }

  /** Refused while a file is open for writing. */
  setReadOnly(isReadOnly: boolean): void {
    execute('mount', '-o', `remount,${isReadOnly ? 'ro' : 'rw'}`, this.directory)
  }

  remove(): void {
    execute('umount', this.directory)
    rmSync(this.directory, { recursive: true })
  }
}

/** Ends all input and output of an ext4 file system at once, its journal left as it is: EXT4_IOC_SHUTDOWN. */
const shutDown = 'open(F, "<", $ARGV[0]) or die; $how = pack("L", 2); ioctl(F, 0x8004587d, $how) or die $!'

export class Ext4Disk implements Disk {
  readonly directory: string
  readonly #image: string
  #device: string
  #isMounted = false

  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), 'ext4-disk-'))
    this.#image = `${this.directory}.image`
    try {
      writeFileSync(this.#image, '')
      truncateSync(this.#image, 256 << 20)
      execute('mkfs.ext4', '-q', this.#image)
      this.#device = this.#mount()
    } catch (error) {
      this.remove()
      throw error
    }
  }

  /** Every read and write fails from now on (EIO), and what was not synced before is lost. */
  failIo(): void {
    execute('perl', '-e', shutDown, this.directory)
  }

  /** What the kernel does after an error of the disk: nothing can be written from now on (EROFS). */
  turnReadOnly(): void {
    writeFileSync(errorTrigger(this.#device), '1')
  }

  /** As after its repair; nothing may have a file open on it. */
  mountAgain(): void {
    this.#unmount()
    this.#device = this.#mount()
  }

  remove(): void {
    // Not mounted where the mounting itself has failed.
    if (this.#isMounted) this.#unmount()
    rmSync(this.directory, { recursive: true })
    rmSync(this.#image, { force: true })
  }

  #unmount(): void {
    execute('umount', this.directory)
    this.#isMounted = false
  }

  #mount(): string {
    execute('mount', '-o', 'loop,errors=remount-ro', this.#image, this.directory)
    this.#isMounted = true
    return execute('findmnt', '-n', '-o', 'SOURCE', this.directory).trim()
  }
}

/** No file of the process may grow beyond this many bytes from now on: a write that would make it do so fails (EFBIG). */
export function limitFileSize(pid: number, bytes: number): void {
  execute('prlimit', '--pid', String(pid), `--fsize=${bytes}`)
}

/** Why there can be no such disk here, or null. */
export const unavailable = {
  tmpfs: reason('mounting a file system is not allowed here', () => new TmpfsDisk('1m').remove()),
  ext4: reason('a file system on a loop device that can be made to fail is not to be had here', () => {
    const disk = new Ext4Disk()
    try {
      if (!existsSync(errorTrigger(execute('findmnt', '-n', '-o', 'SOURCE', disk.directory).trim())))
        throw new Error()
      disk.failIo()
    } finally {
      disk.remove()
    }
  }),
  fileSizeLimit: reason('there is no prlimit here', () => limitFileSize(process.pid, -1)),
} as const

function reason(text: string, attempt: () => void): string | null {
  try {
    attempt()
    return null
  } catch {
    // Why it does not work is no matter of the test.
    return text
  }
}

function errorTrigger(device: string): string {
  return join('/sys/fs/ext4', basename(device), 'trigger_fs_error')
}

function execute(command: string, ...parameters: string[]): string {
  return execFileSync(command, parameters, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' })
}

function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOSPC'
}

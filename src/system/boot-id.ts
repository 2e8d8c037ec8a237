import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { systemRandom } from './random.ts'

const linuxBootId = '/proc/sys/kernel/random/boot_id'

/**
 * What changes whenever the machine restarts. Where the system does not tell, a new one at each call: then every store that was
 * not closed cleanly is scanned, which takes time but is safe.
 */
export async function bootId(): Promise<string> {
  const found = await (process.platform === 'darwin' ? bootSession() : readFile(linuxBootId, 'utf8')).catch(
    () => '',
  )
  const id = found.trim()
  return id === '' ? `unknown-${systemRandom.id()}` : id
}

async function bootSession(): Promise<string> {
  const { stdout } = await promisify(execFile)('sysctl', ['-n', 'kern.bootsessionuuid'])
  return stdout
}

/** What a test has to take away again, in the reverse order of its making, whether it passes or not. */
import { killAllInstances } from './instance.ts'

type CleanUp = () => void | Promise<void>

const open: CleanUp[] = []

export function cleanUpLater(cleanUp: CleanUp): void {
  open.push(cleanUp)
}

/** For `afterEach`: ends all instances, then runs every clean-up. Throws the first failure when all have run. */
export async function cleanUpAll(): Promise<void> {
  const failures: unknown[] = []
  for (const cleanUp of [...open.splice(0), killAllInstances].toReversed()) {
    try {
      await cleanUp()
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
}

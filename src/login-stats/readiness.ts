import type { Processor } from './processor.ts'

/** Sentences, one for each reason why an instance has not all its tasks running; none if it has. */
export function whyNotReady(processor: Processor): string[] {
  const reasons = processor.isAssigned() ? [] : ['The group has not given this instance its tasks yet.']
  for (const { task, state } of processor.status()) {
    if (state !== 'running' && state !== 'standby') reasons.push(`Task ${task} is ${state}.`)
  }
  return reasons
}

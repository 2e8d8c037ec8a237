import { CodedError } from '../../errors.ts'

/** The settings that shape the state, by name. */
export type Fingerprint = Readonly<Record<string, string>>

/** Names of the settings in which the two differ. */
export function differingSettings(stored: Fingerprint, ours: Fingerprint): string[] {
  const names = new Set([...Object.keys(stored), ...Object.keys(ours)])
  return [...names].filter((name) => stored[name] !== ours[name])
}

/** Throws FINGERPRINT_MISMATCH that names every differing setting, with both values. */
export function assertSameFingerprint(
  stored: Fingerprint,
  ours: Fingerprint,
  whose = 'the state was made with',
): void {
  const names = differingSettings(stored, ours)
  if (names.length === 0) return
  const differences = names.map(
    (name) => `${name} is ${ours[name] ?? 'not set'}, ${whose} ${stored[name] ?? 'none'}`,
  )
  throw new CodedError('FINGERPRINT_MISMATCH', {
    operation: 'compare settings with the state',
    detail: `${differences.join('; ')}.`,
  })
}

/** The raw figures of one run, as `results.json` holds them; everything else is rendered from it. */
import { readFileSync, writeFileSync } from 'node:fs'
import type { Moment } from '../measure/course.ts'
import type { SystemName } from '../systems/system.ts'

export interface Measurement {
  readonly row: string
  /** What the row varies; empty where nothing. */
  readonly variant: string
  readonly system: SystemName
  /** From 1. */
  readonly repeat: number
  /** By metric; empty where the measurement failed. */
  readonly values: Readonly<Record<string, number>>
  readonly course?: readonly Moment[]
  readonly failure?: string
}

export interface Results {
  readonly startedAt: string
  endedAt: string
  /** The commit that was measured, with `+` where the sources differed from it; null outside a checkout. */
  readonly revision: string | null
  readonly quick: boolean
  readonly repeats: number
  readonly logins: number
  readonly machine: Readonly<Record<string, string>>
  readonly systems: readonly { readonly name: SystemName; readonly title: string; readonly version: string }[]
  readonly skipped: readonly { readonly name: SystemName; readonly title: string; readonly reason: string }[]
  readonly measurements: Measurement[]
}

export function readResults(path: string): Results {
  return JSON.parse(readFileSync(path, 'utf8')) as Results
}

export function writeResults(path: string, results: Results): void {
  writeFileSync(path, `${JSON.stringify(results, null, 2)}\n`)
}

/** All that was measured of a metric, failures left out. */
export function valuesOf(
  results: Results,
  row: string,
  system: SystemName,
  metric: string,
  variant = '',
): number[] {
  return results.measurements
    .filter((one) => one.row === row && one.system === system && one.variant === variant)
    .flatMap(({ values }) => (values[metric] === undefined ? [] : [values[metric]]))
}

/** The variants of a row in the order of measuring. */
export function variantsOf(results: Results, row: string): string[] {
  return [...new Set(results.measurements.filter((one) => one.row === row).map(({ variant }) => variant))]
}

/** The chart, rendered by helm. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { findTool, runTool, schemaVersions } from '../../support/tools.ts'
import { root } from './files.ts'

export const chart = join(root, 'deploy/helm/login-stats')
export const valueFiles = readdirSync(join(chart, 'ci'))
/** Helm takes itself for an old one where there is no cluster to ask. */
export const kubeVersion = ['--kube-version', schemaVersions.kubernetes]
export const helm = findTool('helm')

export interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly labels?: Record<string, string> }
  // biome-ignore lint/suspicious/noExplicitAny: a manifest of any kind; what is wrong in it is seen by the comparison.
  readonly spec?: any
  readonly data?: Record<string, string>
}

export interface Variable {
  readonly name: string
  readonly value?: string
}

export function runHelm(...args: string[]): { exitCode: number | null; output: string; stdout: string } {
  return runTool(helm.command ?? '', args)
}

interface Rendered {
  readonly text: string
  readonly manifests: Manifest[]
}

/** By arguments: a start of helm takes long. */
const rendered = new Map<string, Rendered>()

/** The manifests of a file of values, with more of them. */
export function render(values: string, ...more: string[]): Rendered {
  const name = [values, ...more].join(' ')
  const found = rendered.get(name) ?? renderAnew(values, more)
  rendered.set(name, found)
  return found
}

function renderAnew(values: string, more: readonly string[]): Rendered {
  const { exitCode, stdout, output } = runHelm(
    ...['template', 'release', chart, '--namespace', 'stats', ...kubeVersion],
    ...['--values', join(chart, 'ci', values), ...more],
  )
  expect(exitCode, output).toBe(0)
  // As Kubernetes reads it: there `yes` and `off` are no texts.
  const documents = parseAllDocuments(stdout, { version: '1.1' })
  for (const { errors } of documents) expect(errors).toEqual([])
  return {
    text: stdout,
    manifests: documents.map((document) => document.toJS()).filter((one) => one !== null),
  }
}

export function one(manifests: readonly Manifest[], kind: string, name?: string): Manifest {
  const found = manifests.filter(
    (manifest) => manifest.kind === kind && (name ?? manifest.metadata.name) === manifest.metadata.name,
  )
  expect(found, kind).toHaveLength(1)
  return found[0]!
}

export function containerOf(manifests: readonly Manifest[]) {
  return one(manifests, 'StatefulSet').spec.template.spec.containers[0]
}

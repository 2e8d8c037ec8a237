import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { findTool, runTool, schemaDirectory } from '../../support/tools.ts'
import { helm, one, render, valueFiles } from './chart.ts'

const kubeconform = findTool('kubeconform')
const schemas = schemaDirectory()
const validating = helm.command !== null && kubeconform.command !== null && hasFiles(schemas)
const reason = validating
  ? ''
  : `${helm.reason || kubeconform.reason || ' (skipped: no schemas; npm run tools gets them)'}`

describe(`the manifests, by the schemas of Kubernetes and its operators${reason}`, {
  timeout: 60_000,
}, () => {
  const it = test.skipIf(!validating)
  const validate = (manifests: string) =>
    runTool(
      kubeconform.command ?? '',
      ['-strict', '-summary', '-schema-location', join(schemas, '{{.ResourceKind}}{{.KindSuffix}}.json')],
      manifests,
    )

  it.each(valueFiles)('%s: all of them are valid', (values) => {
    const { text, manifests } = render(values)
    const { exitCode, output } = validate(text)
    expect(exitCode, output).toBe(0)
    expect(output).toContain(`Valid: ${manifests.length}, Invalid: 0, Errors: 0, Skipped: 0`)
  })

  it('names that look like numbers or truth values stay texts', () => {
    const names = {
      ...{
        fullnameOverride: 'off',
        nameOverride: '123',
        'serviceAccount.name': 'yes',
        priorityClassName: '1e3',
      },
      ...{ 'config.APP_ID': 'true', 'config.INPUT_TOPIC': '1e3', 'persistence.storageClassName': '0x10' },
      ...{ 'kafka.sasl.username': '017', 'kafka.sasl.existingSecret': '1.5', 'kafka.sasl.passwordKey': 'no' },
      ...{ 'kafka.tls.existingSecret': '7', 'kafka.tls.caKey': 'y', 'topologySpread.keys[0]': 'on' },
      ...{ 'podLabels.a': '12', 'nodeSelector.a': 'true', 'serviceMonitor.labels.a': 'false' },
    }
    const set = Object.entries(names).flatMap(([name, value]) => ['--set-string', `${name}=${value}`])
    const keda = render('keda-secured-values.yaml', ...set)
    expect(one(keda.manifests, 'ScaledObject').spec.triggers[0].metadata).toMatchObject({
      ...{ consumerGroup: 'true', topic: '1e3' },
    })
    const hpaSet = [
      ...set,
      '--set-string',
      'autoscaling.hpa.lagMetricName=1e3',
      '--set',
      'autoscaling.type=hpa',
    ]
    for (const { text, manifests } of [keda, render('secured-values.yaml', ...hpaSet)]) {
      const { exitCode, output } = validate(text)
      expect(exitCode, output).toBe(0)
      expect(output).toContain(`Valid: ${manifests.length}, Invalid: 0, Errors: 0, Skipped: 0`)
    }
  })

  it.each([
    ['a mistyped field', 'terminationGracePeriodSeconds', 'terminationGraceSeconds'],
    ['a text where a number must be', 'replicas: 2', 'replicas: two'],
    ['a field of a resource of an operator', 'runbook_url:', 'runbook_url: {}\n            x:'],
  ])('%s would be found', (_what, right, wrong) => {
    const { text } = render('secured-values.yaml', '--set', 'replicas=2')
    expect(text).toContain(right)
    expect(validate(text.replace(right, wrong)).exitCode).not.toBe(0)
  })
})

function hasFiles(directory: string): boolean {
  try {
    return readdirSync(directory).length > 0
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return false
  }
}

/** The files of deploy/, read. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

export const root = join(import.meta.dirname, '../../..')

export function readText(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** With YAML's merge keys, as Docker Compose reads it. */
export function readYaml(path: string): unknown {
  return parse(readText(path), { merge: true })
}

export interface Alert {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

export interface AlertFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Alert[] }[]
}

export const alertsPath = 'deploy/prometheus/alerts.yml'
export const alerts: readonly Alert[] = (readYaml(alertsPath) as AlertFile).groups.flatMap(
  ({ rules }) => rules,
)

export interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly datasource?: { readonly type: string; readonly uid: string }
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string; readonly noValue?: string } }
  readonly targets?: readonly {
    readonly refId: string
    readonly expr: string
    readonly datasource: { readonly type: string; readonly uid: string }
  }[]
}

export interface Dashboard {
  readonly uid: string
  readonly title: string
  readonly templating: {
    readonly list: readonly {
      readonly name: string
      readonly type: string
      readonly definition?: string
    }[]
  }
  readonly annotations: { readonly list: readonly { readonly expr?: string }[] }
  readonly panels: readonly Panel[]
}

export const dashboardPath = 'deploy/grafana/dashboards/login-stats.json'

export function readDashboard(): Dashboard {
  return JSON.parse(readText(dashboardPath))
}

/** Those that are empty where nothing goes wrong and nothing is restored. */
export const panelsThatMayBeEmpty = [
  'Why tasks went back',
  'Restore: records left',
  'Restore: time left',
  'Standby lag',
]

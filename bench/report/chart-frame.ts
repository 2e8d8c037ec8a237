/** What all plots share. */
import type { Results } from './results.ts'

const palette: Readonly<Record<string, string>> = {
  'login-stats': '#1b7f5c',
  'login-stats-task': '#8fc9b3',
  'kafka-streams': '#5b5f97',
  flink: '#d1495b',
  scan: '#9aa5b1',
  kafkajs: '#c9b79c',
}

/** Colours stay the same whichever systems are there. */
export function coloursOf({ systems }: Results, points: readonly { readonly system: string }[]) {
  const shown = systems.filter(({ title }) => points.some(({ system }) => system === title))
  return {
    field: 'system',
    type: 'nominal',
    title: null,
    scale: {
      domain: shown.map(({ title }) => title),
      range: shown.map(({ name }) => palette[name] ?? '#333333'),
    },
  } as const
}

export const frame = {
  $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
  background: 'white',
  padding: 12,
  config: { font: 'sans-serif', view: { stroke: null }, axis: { grid: true, gridColor: '#eeeeee' } },
} as const

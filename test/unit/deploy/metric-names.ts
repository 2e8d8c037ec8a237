/** The metrics that the program has, with their labels; of prom-client's own ones those that dashboard and alerts use. */

export interface Metric {
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly labels: readonly string[]
}

const counter = (...labels: string[]): Metric => ({ type: 'counter', labels })
const gauge = (...labels: string[]): Metric => ({ type: 'gauge', labels })
const histogram = (...labels: string[]): Metric => ({ type: 'histogram', labels })

export const metrics: Readonly<Record<string, Metric>> = {
  login_stats_logins_total: counter('outcome', 'thread'),
  login_stats_dead_letters_total: counter('code', 'thread'),
  login_stats_late_records_total: counter('window', 'thread'),
  login_stats_end_to_end_latency_seconds: histogram('thread'),
  login_stats_commit_duration_seconds: histogram('thread'),
  login_stats_transactions_total: counter('outcome', 'thread'),
  login_stats_task_errors_total: counter('code', 'thread'),
  login_stats_rebalances_total: counter('thread'),
  login_stats_rebalance_duration_seconds: histogram('thread'),
  login_stats_task_lag_records: gauge('task'),
  login_stats_task_lag_seconds: gauge('task'),
  login_stats_task_state: gauge('task', 'state'),
  login_stats_standby_lag_records: gauge('task'),
  login_stats_restore_remaining_records: gauge('task'),
  login_stats_restore_remaining_seconds: gauge('task'),
  login_stats_restored_records_total: counter('thread'),
  login_stats_store_entries: gauge('task'),
  login_stats_store_size_bytes: gauge('task'),
  login_stats_overlay_size_bytes: gauge('task'),
  login_stats_store_wipes_total: counter('reason', 'thread'),
  login_stats_event_loop_lag_seconds: gauge('thread', 'quantile'),
  login_stats_thread_restarts_total: counter(),
  login_stats_ready: gauge(),
  login_stats_build_info: gauge('version', 'node'),
  login_stats_insights_published_total: counter(),
  login_stats_http_request_duration_seconds: histogram('method', 'route', 'status'),
  login_stats_stream_clients: gauge(),
  login_stats_unexported_values: gauge('dimension'),
  device_type_count: gauge('device_type', 'topic'),
  locale_count: gauge('locale', 'topic'),
  total_count: gauge('record_type', 'topic'),
  process_cpu_seconds_total: counter(),
  process_resident_memory_bytes: gauge(),
  process_start_time_seconds: gauge(),
}

/** Made by Prometheus for each scrape, and put by it on every series. */
export const prometheusMetrics = ['up']
export const prometheusLabels = ['job', 'instance']

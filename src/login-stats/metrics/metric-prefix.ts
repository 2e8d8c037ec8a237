/** Before the name of every metric but those that dashboards of earlier systems use. */
export const metricPrefix = 'login_stats_'

/**
 * An example of the table client: prints the locales with the most logins, and then each change of the total.
 *
 *     npx node docs/examples/watch-table.ts localhost:9092
 */
import { LoginStatsTable } from '../../src/login-stats/table/index.ts' // elsewhere: 'login-stats/table'

const [brokers = 'localhost:9092', topic = 'login-stats'] = process.argv.slice(2)

const table = await LoginStatsTable.open({ brokers, topic })
for (const { value, count, rolling } of await table.top('locale', 5)) console.log(value, count, rolling)

table.on('change', ({ key, row }) => {
  if (key === 'total' && row !== null) console.log(row.as_of, row.count, `(read ${table.ageMs} ms ago)`)
})
process.once('SIGINT', async () => {
  await table.close()
})

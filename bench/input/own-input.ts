import type { Session } from '../session.ts'

/** Makes an empty input topic for one run, and deletes it after `use`, however that ends. */
export async function withOwnInput<T>(
  session: Session,
  partitions: number,
  use: (inputTopic: string) => Promise<T>,
): Promise<T> {
  const { admin } = session.kafka
  const inputTopic = session.newName('input')
  await admin.createTopics([
    { name: inputTopic, partitionCount: partitions, replicationFactor: -1, config: {} },
  ])
  try {
    return await use(inputTopic)
  } finally {
    await admin.deleteTopics([inputTopic])
  }
}

/** Logins of so many users, each of whom logs in as often as the others, in an order that looks random; the same each time. */

const locales = ['RU', 'US', 'BR', 'IN', 'CN', 'ID', 'NG', 'MX', 'PK', 'JP']
const versions = ['2.3.0', '2.2.1', '2.1.0', '1.9.3']
const devices = ['android', 'iOS', 'web', 'tablet']
/** Prime, so that its multiples meet every user before any of them twice. */
const stride = 7_368_787

/** The value of the `index`-th login. */
export function keyedLogin(index: number, users: number, timeMs: number): Buffer {
  const user = (index * stride) % users
  return Buffer.from(
    `{"user_id":"${userId(user)}","app_version":"${versions[index % 4]}","device_type":"${devices[(index >>> 2) % 4]}",` +
      `"ip":"${1 + (index % 223)}.${(index >>> 8) & 255}.${(index >>> 16) & 255}.7","locale":"${locales[index % 10]}",` +
      `"device_id":"593-47-${String(index % 10_000).padStart(4, '0')}","timestamp":"${Math.floor(timeMs / 1000)}"}`,
  )
}

/** In the form of a UUID, as the ids of users are. */
export function userId(user: number): string {
  const hex = user.toString(16).padStart(8, '0')
  return `${hex}-21f0-43a7-b91b-7ca1${hex}`
}

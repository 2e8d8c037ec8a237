export {
  type Config,
  describeConfig,
  type Environment,
  loadConfig,
  type Origin,
  type SettingRow,
} from './config.ts'
export { type KafkaSecurity, kafkaSecurity, type SaslOptions, type TlsOptions } from './kafka-security.ts'
export {
  type Setting,
  type SettingName,
  settingList,
  settings,
  stateShapingSettings,
} from './settings.ts'
export type { RollingWindow } from './values.ts'

/** The part of a pino logger that the store over an API server needs. */
export interface KubernetesLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

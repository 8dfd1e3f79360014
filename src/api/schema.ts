/** Whether an object has the shape that its kind's schema says; crds/ is the one source of truth. */
import { AppError } from './errors.ts';
import { firstOfEachPath, formatPath, type Finding } from './validation/finding.ts';
import { validatorOf } from './validation/json-schema.ts';
import { PROBLEMS_PER_OBJECT_MAX } from './validation/limits.ts';
import { toFinding } from './validation/schema-message.ts';

export type SchemaError = Finding;

/** Problems that the error about a model quotes. */
const QUOTED_ERRORS_MAX = 5;

/**
 * What the schema of the stored version says: wrong types, unknown and missing fields, bounds. At most
 * PROBLEMS_PER_OBJECT_MAX errors; empty when the object fits. Schemas are read and compiled at first use.
 *
 * @param kind - a `KindName`.
 */
export function schemaErrors(kind: string, object: unknown): SchemaError[] {
  const validate = validatorOf(kind);
  if (validate(object)) return [];
  return firstOfEachPath((validate.errors ?? []).slice(0, PROBLEMS_PER_OBJECT_MAX).map(toFinding));
}

/**
 * The validate function of a generated model: `model.validate()` throws what is wrong in our words.
 *
 * @throws {AppError} `ERR_INVALID_OBJECT`, from the function returned; the message begins with the field.
 */
export function validateModel<T>(model: {
  readonly kind: string;
  new (...data: never[]): T;
}): (data: unknown) => data is T {
  return (data): data is T => {
    const errors = schemaErrors(model.kind, data);
    const [first] = errors;
    if (first === undefined) return true;
    const quoted = errors.slice(0, QUOTED_ERRORS_MAX).map(({ path, message }) => `${formatPath(path)}: ${message}`);
    throw new AppError('ERR_INVALID_OBJECT', quoted.join('; '), { fix: first.fix });
  };
}

/** ObjectMeta (meta/v1), closed: an API server drops unknown fields without a word, here they are told. */

const text = { type: 'string' };
const texts = { type: 'object', additionalProperties: text };
const time = { type: 'string', format: 'date-time' };
const whole = { type: 'integer' };
const flag = { type: 'boolean' };

export const OBJECT_META_SCHEMA = {
  type: 'object',
  required: ['name'],
  properties: {
    name: text,
    generateName: text,
    namespace: text,
    labels: texts,
    annotations: texts,
    uid: text,
    resourceVersion: text,
    generation: whole,
    creationTimestamp: time,
    deletionTimestamp: time,
    deletionGracePeriodSeconds: whole,
    finalizers: { type: 'array', items: text },
    ownerReferences: {
      type: 'array',
      items: {
        type: 'object',
        required: ['apiVersion', 'kind', 'name', 'uid'],
        properties: { apiVersion: text, kind: text, name: text, uid: text, controller: flag, blockOwnerDeletion: flag },
      },
    },
    managedFields: { type: 'array', items: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
    selfLink: text,
  },
};

import tseslint from 'typescript-eslint';

/** Node's inside, as `slabs/user-buffer.ts` needs it: memory that is written to behind JavaScript's back is one file's affair. */
const INSIDE_NODE = '/^(kBuffer|kBufferCb|kBufferGen|useUserBuffer|_handle)$/';
const message = "Only src/gateway/slabs/user-buffer.ts touches Node's inside. Fix: use readIntoSlabs or readInto.";

const reset = {
  selector: "MemberExpression[property.name='resetAndDestroy']",
  message: 'Only src/runtime/reset-socket.ts knows when Node can reset. Fix: use resetSocket.',
};
const insideNode = [
  { selector: `Identifier[name=${INSIDE_NODE}]`, message },
  { selector: `Literal[value=${INSIDE_NODE}]`, message },
  { selector: `TemplateElement[value.raw=${INSIDE_NODE}]`, message },
];

export default tseslint.config(
  { ignores: ['src/api/generated/**', 'build/**', '**/*.mjs'] },
  tseslint.configs.recommendedTypeChecked,
  { languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } } },
  {
    rules: {
      // Parts are closures: a method that is taken from its object loses nothing. What there is of each connection is a class, since
      // its closures would be garbage (docs/PERFORMANCE.md); its methods are called, not taken.
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    ignores: ['src/gateway/slabs/user-buffer.ts'],
    rules: {
      'no-restricted-syntax': ['error', ...insideNode],
    },
  },
  {
    files: ['src/**'],
    ignores: ['src/gateway/slabs/user-buffer.ts', 'src/runtime/reset-socket.ts'],
    rules: { 'no-restricted-syntax': ['error', ...insideNode, reset] },
  },
  {
    files: ['test/**'],
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        { allowForKnownSafeCalls: [{ from: 'package', package: 'mocha', name: ['describe', 'it'] }] },
      ],
    },
  },
);

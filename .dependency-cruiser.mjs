// The import map of docs/ARCHITECTURE.md, held: imports point one way, and pure folders import no clock, I/O or logger.
const pure = '^src/(policy|merge|catalogue)/|^src/dns/(zone|name)|/desired\\.ts$';
const feature = (name, others) => ({
  name: `${name}-imports-no-sibling`,
  comment: `${name}/ meets ${others.join(', ')} only through the composition root or the shapes in api/`,
  severity: 'error',
  from: { path: `^src/${name}/` },
  to: { path: `^src/(${others.join('|')}|cli)/` },
});

export default {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    { name: 'undeclared-package', severity: 'error', from: {}, to: { dependencyTypes: ['npm-no-pkg', 'unknown'] } },
    { name: 'no-orphans', severity: 'error', from: { orphan: true, pathNot: ['^src/main\\.ts$'] }, to: {} },
    { name: 'api-is-the-floor', severity: 'error', from: { path: '^src/api/' }, to: { path: '^src/(?!api/)' } },
    {
      name: 'pure-code-does-no-io',
      severity: 'error',
      from: { path: pure },
      to: {
        path: '^(node:)?(fs|net|tls|dgram|http|https|dns|child_process|worker_threads|timers|process|os|perf_hooks)(/|$)|node_modules/(pino|prom-client)/|^src/(runtime|store|cli|fabric)/',
      },
    },
    {
      name: 'pure-code-imports-pure-code',
      severity: 'error',
      from: { path: '^src/(policy|merge|catalogue)/' },
      to: { path: '^src/(?!(api|policy|merge|catalogue)/)' },
    },
    feature('policy', ['merge', 'catalogue']),
    feature('controllers', ['gateway', 'dns', 'fabric']),
    feature('gateway', ['controllers', 'dns', 'merge']),
    feature('dns', ['controllers', 'gateway', 'exchange', 'merge', 'policy', 'catalogue', 'fabric']),
    feature('exchange', ['controllers', 'gateway', 'dns', 'merge']),
    feature('fabric', ['controllers', 'gateway', 'dns', 'exchange', 'merge', 'policy', 'catalogue', 'store']),
    feature('store', ['controllers', 'gateway', 'dns', 'exchange', 'merge', 'policy', 'catalogue', 'fabric']),
    feature('runtime', [
      'controllers',
      'gateway',
      'dns',
      'exchange',
      'merge',
      'policy',
      'catalogue',
      'fabric',
      'store',
    ]),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};

/** Routes of a shop: a canary for testers and five of every hundred, a version in the path, and pages for the inside only. */
import { defineConfig } from 'fourseven';

export default defineConfig({
  listeners: {
    web: {
      address: '127.0.0.1:8080',
      routes: [
        { name: 'shop', match: { hosts: ['shop.example.com'] }, clusters: { shop: 95, 'shop-next': 5 } },
        {
          name: 'canary',
          match: { hosts: ['shop.example.com'], headers: { 'x-canary': 'true' } },
          cluster: 'shop-next',
          responseHeaders: { set: { 'X-Canary': 'yes' } },
        },
        {
          name: 'testers',
          match: { hosts: ['shop.example.com'], cookies: { tester: { present: true } } },
          cluster: 'shop-next',
        },
        {
          name: 'v1',
          match: { hosts: ['shop.example.com'], path: '/v1/*' },
          cluster: 'shop',
          rewrite: { path: '/' },
        },
        {
          name: 'internal',
          match: { hosts: ['shop.example.com'], path: '/internal/*', sources: ['10.0.0.0/8'] },
          cluster: 'shop',
        },
        {
          name: 'not-for-you',
          match: { hosts: ['shop.example.com'], path: '/internal/*' },
          respond: { status: 403, body: 'These pages are for the inside.\n' },
        },
        { name: 'moved', match: { hosts: ['www.example.com'] }, redirect: { host: 'shop.example.com', status: 301 } },
      ],
    },
  },
  clusters: {
    shop: { endpoints: ['127.0.0.1:9000', '127.0.0.1:9001'] },
    'shop-next': { endpoints: ['127.0.0.1:9100'] },
  },
});

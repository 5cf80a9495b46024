/** Configuration as code: typed, and computed where that is shorter than writing it out. Run it as `fourseven run typescript.config.ts`. */
import { defineConfig } from 'fourseven';

const teams = ['billing', 'search', 'shop'];

export default defineConfig({
  listeners: {
    web: {
      address: '127.0.0.1:8080',
      routes: teams.map((team) => ({
        name: team,
        match: { hosts: [`${team}.example.com`] },
        cluster: team,
        timeout: '15s',
      })),
    },
  },
  clusters: Object.fromEntries(
    teams.map((team, index) => [team, { endpoints: [`127.0.0.1:${9000 + index}`], policy: 'round-robin' as const }]),
  ),
});

'use strict';

// NodeBB asks nobody on loopback, where all servers of these tests are.
const { createRequire } = require('node:module');

const addresses = createRequire(`${process.cwd()}/app.js`)('ipaddr.js');
addresses.IPv4.prototype.range = () => 'unicast';

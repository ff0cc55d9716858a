// Sets Uptime Kuma up: `node homelab.js account|monitors check|run`. It has no configuration files
// and no API but the socket that its own page uses, so this speaks to that, as the container's user.
//
// `check` ends with 0 when nothing is to be done. `run` looks first, adds what is missing, follows
// a service to its new address, and removes nothing.
"use strict";

const fs = require("fs");
const { createRequire } = require("module");
const { io } = createRequire("/app/package.json")("socket.io-client");

const ADDRESS = "ws://127.0.0.1:3001";
const PATIENCE = 60_000;
const username = process.env.HOMELAB_ADMIN;
const password = fs.readFileSync("/run/secrets/uptime-kuma-admin-password", "utf8").trim();

// What is ours bears this in its description, whatever its owner calls it.
const mark = (service) => `homelab: ${service}`;

function connect() {
    return new Promise((resolve, reject) => {
        const socket = io(ADDRESS, { reconnection: false, timeout: 10_000 });
        socket.monitors = {};
        socket.on("monitorList", (list) => (socket.monitors = list));
        socket.on("connect", () => resolve(socket));
        socket.on("connect_error", (error) => reject(new Error(`no connection: ${error.message}`)));
    });
}

async function ask(socket, event, ...values) {
    const answer = await socket.timeout(PATIENCE).emitWithAck(event, ...values);
    if (answer && answer.ok === false) {
        throw Object.assign(new Error(`${event}: ${answer.msg}`), { reason: answer.msg });
    }
    return answer;
}

async function account(socket, run) {
    if (!(await ask(socket, "needSetup"))) {
        return true;
    }
    if (run) {
        await ask(socket, "setup", username, password);
    }
    return run;
}

// False: the account is not as we made it, so its owner has taken over.
async function login(socket) {
    try {
        const answer = await ask(socket, "login", { username, password, token: "" });
        return !answer.tokenRequired;
    } catch (error) {
        if (error.reason === "authIncorrectCreds") {
            return false;
        }
        throw error;
    }
}

async function monitors(socket, run) {
    if (!(await login(socket))) {
        console.log("the account's password or second factor was changed; monitors are left alone");
        return true;
    }
    const wanted = JSON.parse(fs.readFileSync("/setup/monitors.json", "utf8"));
    const known = Object.values(socket.monitors);
    let done = true;
    for (const { service, name, url } of wanted) {
        const ours = known.find((monitor) => monitor.description === mark(service));
        if (ours ? ours.url === url : known.some((monitor) => monitor.url === url)) {
            continue;
        }
        done = false;
        if (run && ours) {
            const { monitor } = await ask(socket, "getMonitor", ours.id);
            await ask(socket, "editMonitor", { ...monitor, url });
            console.log(`${service} is now watched at ${url}`);
        } else if (run) {
            await ask(socket, "add", webMonitor(service, name, url));
            console.log(`${service} is watched at ${url}`);
        }
    }
    return done || run;
}

// As the form of its page fills it in for a web address, with what differs for us.
function webMonitor(service, name, url) {
    return {
        type: "http",
        name,
        description: mark(service),
        url,
        method: "GET",
        parent: null,
        interval: 60,
        retryInterval: 60,
        // A restart is no news.
        maxretries: 2,
        resendInterval: 0,
        timeout: 30,
        // A redirect leads to names that only the proxy answers.
        maxredirects: 0,
        accepted_statuscodes: ["200-399"],
        ignoreTls: false,
        upsideDown: false,
        expiryNotification: false,
        // It would ask the Internet when the registration of a container's name ends.
        domainExpiryNotification: false,
        httpBodyEncoding: "json",
        authMethod: null,
        notificationIDList: {},
        kafkaProducerBrokers: [],
        kafkaProducerSaslOptions: { mechanism: "None" },
        rabbitmqNodes: [],
        conditions: [],
    };
}

async function main([what, how]) {
    const work = { account, monitors }[what];
    if (!work || !["check", "run"].includes(how)) {
        throw new Error("write `homelab.js account|monitors check|run`");
    }
    const socket = await connect();
    try {
        return await work(socket, how === "run");
    } finally {
        socket.close();
    }
}

main(process.argv.slice(2)).then(
    (done) => process.exit(done ? 0 : 1),
    (error) => {
        console.error(error.message);
        process.exit(1);
    }
);

// Runs once, when the database is made: the actors' user may do with it what they need, and nothing else.
db.getSiblingDB("beagle").createUser({
    user: "beagle",
    pwd: process.env.BEAGLE_STORE_PASSWORD,
    roles: [{ role: "readWrite", db: "beagle" }],
});

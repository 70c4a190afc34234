// Runs a declarative pipeline of Jenkins as a Groovy script, prints its steps, and refuses
// directives that may not stand where they stand. It knows what mapstack's pipeline uses.
def allowed = [
    pipeline: ['agent', 'options', 'stages'], options: ['timeout'], stages: ['stage'],
    stage: ['agent', 'matrix', 'stages', 'steps', 'post'], matrix: ['agent', 'axes', 'stages'], axes: ['axis'],
    axis: ['name', 'values'], agent: ['label'], post: ['always'],
    steps: ['sh', 'stash', 'unstash'], always: ['junit', 'archiveArtifacts'],
]

class Directive {
    Map allowed
    String within
    Map axis = [:]

    def propertyMissing(String name) {
        if (within == 'pipeline' && name == 'none') return 'none'
        if (name == 'SHARD') return '1' // of a matrix
        throw new IllegalArgumentException("$within has no $name")
    }

    def methodMissing(String name, Object arguments) {
        if (!allowed[within].contains(name)) throw new IllegalArgumentException("$name may not stand in $within")
        def given = arguments as List
        if (given && given.last() instanceof Closure) {
            def inner = new Directive(allowed: allowed, within: name)
            def body = given.last().clone()
            body.delegate = inner
            body.resolveStrategy = Closure.DELEGATE_ONLY
            body()
            if (name == 'axis') println "axis ${inner.axis.name.join()} ${inner.axis.values.join(' ')}"
        } else if (allowed.containsKey(name) && name != 'agent') {
            throw new IllegalArgumentException("$name needs a block")
        } else if (within == 'axis') {
            axis[name] = given
        } else {
            println "$name ${given.join(' ')}"
        }
    }
}

def shell = new GroovyShell()
def script = shell.parse(new File(args[0]))
script.metaClass.pipeline = { Closure body ->
    body.delegate = new Directive(allowed: allowed, within: 'pipeline')
    body.resolveStrategy = Closure.DELEGATE_ONLY
    body()
}
script.run()

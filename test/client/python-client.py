# What programs in Python do with the API: the client library of Debian (python3-kubernetes), driven by other-programs.test.ts. Each case
# prints its name when it went well; the first that does not ends everything with a traceback.
import json
import sys
import threading
import time

from kubernetes import client, config, dynamic, utils, watch

kubeconfig, directory = sys.argv[1:3]
config.load_kube_config(kubeconfig)
core, apps, custom = client.CoreV1Api(), client.AppsV1Api(), client.CustomObjectsApi()
namespace = 'default'


def message(error):
    return json.loads(error.body)['message']


def refused(call):
    try:
        call()
    except client.ApiException as error:
        return error.status, message(error)
    raise AssertionError('it was not refused')


def deploys():
    labels = {'app': 'web'}
    pod = client.V1PodSpec(containers=[client.V1Container(name='c', image='nginx')])
    template = client.V1PodTemplateSpec(metadata=client.V1ObjectMeta(labels=labels), spec=pod)
    spec = client.V1DeploymentSpec(replicas=2, selector={'matchLabels': labels}, template=template)
    apps.create_namespaced_deployment(
        namespace, client.V1Deployment(metadata=client.V1ObjectMeta(name='web'), spec=spec)
    )
    follow = watch.Watch()
    for event in follow.stream(apps.list_namespaced_deployment, namespace, timeout_seconds=60):
        if event['object'].status.available_replicas == 2:
            follow.stop()
    assert apps.read_namespaced_deployment_status('web', namespace).status.available_replicas == 2
    old = apps.read_namespaced_deployment('web', namespace)
    apps.patch_namespaced_deployment_scale('web', namespace, {'spec': {'replicas': 1}})
    status, _ = refused(lambda: apps.replace_namespaced_deployment('web', namespace, old))
    assert status == 409, status
    apps.delete_namespaced_deployment('web', namespace, propagation_policy='Foreground')


def patches():
    core.create_namespaced_config_map(namespace, {'metadata': {'name': 'p'}, 'data': {'a': '1', 'b': '2'}})
    # The library takes a list for a JSON patch and a dict for a strategic merge patch.
    patched = core.patch_namespaced_config_map(
        'p', namespace, [{'op': 'replace', 'path': '/data/a', 'value': 'x'}]
    )
    assert patched.data == {'a': 'x', 'b': '2'}, patched.data
    patched = core.patch_namespaced_config_map('p', namespace, {'data': {'b': None}}, field_manager='m')
    assert patched.data == {'a': 'x'}, patched.data
    test = [{'op': 'test', 'path': '/data/a', 'value': 'no'}]
    status, _ = refused(lambda: core.patch_namespaced_config_map('p', namespace, test))
    assert status == 422, status


def watches_on():
    """A watch that the server ends is taken up where it was."""
    made = ['w%d' % i for i in range(4)]
    revision = core.list_namespaced_config_map(namespace).metadata.resource_version

    def make():
        for name in made:
            time.sleep(0.5)
            core.create_namespaced_config_map(namespace, {'metadata': {'name': name}})

    maker = threading.Thread(target=make)
    call = core.api_client.call_api

    def short(path, method, path_params, query, *rest, **named):
        return call(path, method, path_params, query + [('timeoutSeconds', 1)], *rest, **named)

    maker.start()
    core.api_client.call_api = short
    seen = []
    follow = watch.Watch()
    for event in follow.stream(core.list_namespaced_config_map, namespace, resource_version=revision):
        seen.append(event['object'].metadata.name)
        if len(seen) == len(made):
            follow.stop()
    core.api_client.call_api = call
    maker.join()
    assert seen == made, seen


def pages():
    names, token = [], None
    while True:
        page = core.list_namespaced_config_map(namespace, limit=2, **({'_continue': token} if token else {}))
        names += [item.metadata.name for item in page.items]
        token = page.metadata._continue
        if not token:
            break
    assert len(names) == len(core.list_namespaced_config_map(namespace).items) > 4, names


def creates_from_yaml():
    # The library refuses answers that lack what its models call required.
    assert len(utils.create_from_yaml(client.ApiClient(), directory + '/objects.yaml')) == 2
    try:
        utils.create_from_yaml(client.ApiClient(), directory + '/objects.yaml')
    except utils.FailToCreateError as error:
        assert [one.status for one in error.api_exceptions] == [409, 409], error
    else:
        raise AssertionError('it was not refused')


def custom_objects():
    place = ('example.com', 'v1', namespace, 'crontabs')
    body = {'apiVersion': 'example.com/v1', 'kind': 'CronTab', 'metadata': {'name': 'c'}, 'spec': {'replicas': 2}}
    for _ in range(100):
        try:
            custom.create_namespaced_custom_object(*place, body)
            break
        except client.ApiException as error:
            assert error.status == 404, error
            time.sleep(0.1)
    custom.patch_namespaced_custom_object_scale(*place, 'c', {'spec': {'replicas': 5}})
    custom.patch_namespaced_custom_object_status(*place, 'c', {'status': {'ready': 1}})
    found = custom.get_namespaced_custom_object(*place, 'c')
    assert found['spec']['replicas'] == 5 and found['status'] == {'ready': 1}, found
    body = dict(body, metadata={'name': 'd'}, spec={'replicas': -1})
    status, why = refused(lambda: custom.create_namespaced_custom_object(*place, body))
    assert status == 422 and 'should be greater than or equal to 0' in why, why
    schema = json.loads(
        core.api_client.call_api(
            '/openapi/v2', 'GET', header_params={'Accept': 'application/json'}, _preload_content=False
        )[0].data
    )
    assert 'com.example.v1.CronTab' in schema['definitions']


def dynamic_client():
    resources = dynamic.DynamicClient(client.ApiClient()).resources
    crontabs = resources.get(api_version='example.com/v1', kind='CronTab')
    apply = {'apiVersion': 'example.com/v1', 'kind': 'CronTab', 'metadata': {'name': 'c'}, 'spec': {'replicas': 4}}
    applied = crontabs.server_side_apply(
        namespace=namespace, name='c', body=json.dumps(apply), field_manager='m', force_conflicts=True
    )
    assert applied.spec.replicas == 4
    try:
        crontabs.server_side_apply(
            namespace=namespace, name='c', body=json.dumps(dict(apply, spec={'replicas': 6})), field_manager='n'
        )
    except dynamic.exceptions.ConflictError as error:
        assert message(error) == 'Apply failed with 1 conflict: conflict with "m": .spec.replicas', message(error)
    else:
        raise AssertionError('it was not refused')
    assert [event['type'] for event in crontabs.watch(namespace=namespace, timeout=1)] == ['ADDED']
    crontabs.delete(namespace=namespace, name='c')


for case in [deploys, patches, watches_on, pages, creates_from_yaml, custom_objects, dynamic_client]:
    case()
    print(case.__name__, flush=True)
